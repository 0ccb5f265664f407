package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/aws-sdk-go-v2/credentials/ssocreds"
	"github.com/aws/smithy-go"

	"binnacle/config"
)

// s3Fault says what an answer of a service means.
func s3Fault(err error, at config.Store) error {
	var (
		api     smithy.APIError
		session *ssocreds.InvalidTokenError
		request *url.Error
		dns     *net.DNSError
	)
	switch text := err.Error(); {
	case errors.As(err, &session):
		return &fault{text: "the credentials have expired", hint: renew(at), err: err}
	case errors.As(err, &api):
		return answered(api, status(err), at, err)
	// The SDK has no type for credentials that it does not find.
	case strings.Contains(text, "get identity: get credentials"):
		return &fault{text: "there are no credentials that can be used", hint: provide(at), err: err}
	case errors.Is(err, context.DeadlineExceeded):
		return err
	case errors.As(err, &dns):
		return &fault{text: dns.Error(), hint: "is the endpoint right, and PathStyle where the service has no name for each bucket?", err: err}
	case errors.As(err, &request):
		return &fault{text: request.Err.Error(), hint: "does the service run, and is the endpoint right?", err: err}
	}
	return err
}

// Private

// answered says what the code of an answer means.
func answered(api smithy.APIError, status int, at config.Store, err error) error {
	f := &fault{err: err}
	switch code := api.ErrorCode(); {
	case code == "ExpiredToken", code == "ExpiredTokenException", code == "RequestExpired", code == "TokenRefreshRequired":
		f.text, f.hint = "the credentials have expired", renew(at)
	case code == "InvalidAccessKeyId", code == "InvalidClientTokenId", code == "XAdminUserNotFound", code == "InvalidToken", code == "UnrecognizedClientException":
		f.text, f.hint = "the service does not know the access key", renew(at)
	case code == "SignatureDoesNotMatch":
		f.text, f.hint = "the secret key is not that of the access key", renew(at)
	case code == "RequestTimeTooSkewed":
		f.text, f.hint = "the service refuses the time of this machine", "set the clock"
	case code == "NoSuchBucket":
		f.text, f.hint = "there is no bucket "+at.Bucket, "make it, or look at the bucket, endpoint and region of the store"
	case code == "PermanentRedirect", code == "AuthorizationHeaderMalformed", code == "IllegalLocationConstraintException", status == http.StatusMovedPermanently:
		f.text, f.hint = "the bucket is in another region", "set the region of the store"
		if region := bucketRegion(err); region != "" {
			f.hint += " to " + region
		}
	case code == "QuotaExceeded", code == "XMinioStorageFull", code == "StorageFull", code == "InsufficientStorage", status == http.StatusInsufficientStorage:
		return full(err)
	case code == "PreconditionFailed":
		f.text = "the object was replaced while it was read"
	case code == "AccessDenied", status == http.StatusForbidden:
		f.text = "the credentials may not do that: " + operation(err)
		f.hint = "they need s3:ListBucket, s3:ListBucketMultipartUploads, s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload"
	case api.ErrorMessage() == "":
		f.text = fmt.Sprintf("%s: the service answered %d %s", operation(err), status, code)
	default:
		f.text = fmt.Sprintf("%s: the service answered %d %s: %s", operation(err), status, code, api.ErrorMessage())
	}
	return f
}

// Helpers

// refused tells whether a service has said no, so that nothing was done.
func refused(err error) bool {
	at := status(err)
	return at >= 400 && at < 500 && code(err) != "NoSuchUpload"
}

// code is the word of an answer; "" when there was none.
func code(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}

func status(err error) int {
	var response *awshttp.ResponseError
	if errors.As(err, &response) {
		return response.HTTPStatusCode()
	}
	return 0
}

func operation(err error) string {
	var call *smithy.OperationError
	if errors.As(err, &call) {
		return call.Operation()
	}
	return "a call"
}

func bucketRegion(err error) string {
	var response *awshttp.ResponseError
	if errors.As(err, &response) && response.Response != nil {
		return response.Response.Header.Get("X-Amz-Bucket-Region")
	}
	return ""
}

// renew says how new credentials are had.
func renew(at config.Store) string {
	switch {
	case at.AccessKey != "":
		return fmt.Sprintf("new keys for %s and %s in .kamal/secrets", at.AccessKey, at.SecretKey)
	case at.Profile != "":
		return "aws sso login --profile " + at.Profile + ", or new keys for it in the AWS files"
	}
	return "aws sso login, or new keys in .kamal/secrets or the environment"
}

func provide(at config.Store) string {
	if at.Profile != "" {
		return "aws sso login --profile " + at.Profile + ", or keys for it in the AWS files"
	}
	return "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, log in with aws sso login, or name secrets of .kamal/secrets for the store"
}
