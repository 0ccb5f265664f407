package store

import (
	"cmp"
	"context"
	"errors"
	"io"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awsconfig "github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/logging"

	"binnacle/config"
	"binnacle/ops"
)

// bucket keeps objects in a bucket of an S3-compatible service.
type bucket struct {
	at     config.Store
	prefix string // "" or with a slash at its end
	client *s3.Client
	limits limits
	// partSize is how large a part of that number is, from 1 on.
	partSize func(number int) int
}

// limits bound the calls to a service.
type limits struct {
	call     time.Duration // a call without much of a body, its retries included
	part     time.Duration // a part of 8 MiB, its retries included; larger ones in proportion
	complete time.Duration // a service may copy all parts before it answers
	stall    time.Duration // a body that is read and does not go on
	attempts int
	backoff  time.Duration // at most, between two attempts
}

func usualLimits() limits {
	return limits{
		call: 2 * time.Minute, part: 10 * time.Minute, complete: 30 * time.Minute, stall: time.Minute,
		attempts: 5, backoff: 8 * time.Second,
	}
}

// fallbackRegion is what services with an endpoint of their own take.
const fallbackRegion = "us-east-1"

// newBucket is a store in a bucket. Credentials that are not given are looked for
// where AWS's own tools look, when they are first needed.
func newBucket(ctx context.Context, at config.Store, o Options, l limits) (*bucket, error) {
	if o.AccessKey.Empty() != o.SecretKey.Empty() {
		return nil, failed(Location(at), "", errors.New("an access key needs a secret key, and the other way round"))
	}
	settings := []func(*awsconfig.LoadOptions) error{awsconfig.WithLogger(logging.Nop{})}
	if at.Profile != "" {
		settings = append(settings, awsconfig.WithSharedConfigProfile(at.Profile))
	}
	if !o.AccessKey.Empty() {
		static := credentials.NewStaticCredentialsProvider(o.AccessKey.Reveal(), o.SecretKey.Reveal(), "")
		settings = append(settings, awsconfig.WithCredentialsProvider(static))
	}
	if region := cmp.Or(at.Region, map[bool]string{true: fallbackRegion}[at.Endpoint != ""]); region != "" {
		settings = append(settings, awsconfig.WithRegion(region))
	}
	loaded, err := awsconfig.LoadDefaultConfig(ctx, settings...)
	if err != nil {
		return nil, failed(Location(at), "", err)
	}
	if loaded.Region == "" {
		return nil, failed(Location(at), "", &fault{text: "the region of the bucket is not known", hint: "give the store a region, or set AWS_REGION"})
	}
	client := s3.NewFromConfig(loaded, func(s *s3.Options) {
		if at.Endpoint != "" {
			s.BaseEndpoint = aws.String(withScheme(at.Endpoint))
		}
		s.UsePathStyle = at.PathStyle
		s.Retryer = retry.NewStandard(func(r *retry.StandardOptions) { r.MaxAttempts, r.MaxBackoff = l.attempts, l.backoff })
		// Other services know not every checksum of AWS; parts carry an MD5, which all
		// of them check.
		s.RequestChecksumCalculation = aws.RequestChecksumCalculationWhenRequired
		s.ResponseChecksumValidation = aws.ResponseChecksumValidationWhenRequired
		s.DisableLogOutputChecksumValidationSkipped = true
	})
	prefix := strings.Trim(at.Path, "/")
	if prefix != "" {
		prefix += "/"
	}
	b := &bucket{at: at, prefix: prefix, client: client, limits: l, partSize: growing}
	if strings.HasSuffix(strings.TrimRight(at.Endpoint, "/"), ".r2.cloudflarestorage.com") {
		b.partSize = even
	}
	return b, nil
}

// Open reads an object; a connection that breaks is taken up where it broke.
func (b *bucket) Open(ctx context.Context, key string) (io.ReadCloser, error) {
	if err := checkKey(key); err != nil {
		return nil, b.told(ctx, "", err)
	}
	d := &download{bucket: b, ctx: ctx, key: key}
	if err := d.open(); err != nil {
		return nil, b.told(ctx, key, err)
	}
	return d, nil
}

// List asks page by page.
func (b *bucket) List(ctx context.Context, prefix string) ([]ops.Object, error) {
	var out []ops.Object
	pages := s3.NewListObjectsV2Paginator(b.client, &s3.ListObjectsV2Input{Bucket: &b.at.Bucket, Prefix: aws.String(b.prefix + prefix)})
	for pages.HasMorePages() {
		page, err := within(ctx, b.limits.call, func(ctx context.Context) (*s3.ListObjectsV2Output, error) { return pages.NextPage(ctx) })
		if err != nil {
			return nil, b.told(ctx, "", err)
		}
		for _, o := range page.Contents {
			key, ours := strings.CutPrefix(aws.ToString(o.Key), b.prefix)
			if !ours || strings.HasSuffix(key, "/") { // a folder, as consoles make them
				continue
			}
			out = append(out, ops.Object{Key: key, Size: aws.ToInt64(o.Size), Modified: aws.ToTime(o.LastModified)})
		}
	}
	slices.SortFunc(out, func(a, b ops.Object) int { return cmp.Compare(a.Key, b.Key) })
	return out, nil
}

// Delete removes one object after another: the order is part of the promise,
// which the call for many does not keep.
func (b *bucket) Delete(ctx context.Context, keys ...string) error {
	for _, key := range keys {
		if err := checkKey(key); err != nil {
			return b.told(ctx, "", err)
		}
	}
	for _, key := range keys {
		if err := b.remove(ctx, key); err != nil {
			return b.told(ctx, key, err)
		}
	}
	return nil
}

// Sweep aborts multipart uploads. Services that list them only by the full name
// of an object, as MinIO does, forget them by themselves after a while.
func (b *bucket) Sweep(ctx context.Context, prefix string) error {
	in := &s3.ListMultipartUploadsInput{Bucket: &b.at.Bucket, Prefix: aws.String(b.prefix + prefix)}
	pages := s3.NewListMultipartUploadsPaginator(b.client, in)
	for pages.HasMorePages() {
		page, err := within(ctx, b.limits.call, func(ctx context.Context) (*s3.ListMultipartUploadsOutput, error) { return pages.NextPage(ctx) })
		if err != nil {
			return b.told(ctx, "", err)
		}
		for _, u := range page.Uploads {
			if !strings.HasPrefix(aws.ToString(u.Key), b.prefix+prefix) {
				continue
			}
			if err := b.abort(ctx, u.Key, u.UploadId); err != nil {
				return b.told(ctx, "", err)
			}
		}
	}
	return nil
}

// Private

func (b *bucket) name(key string) *string { return aws.String(path.Join(b.prefix, key)) }

func (b *bucket) remove(ctx context.Context, key string) error {
	_, err := within(ctx, b.limits.call, func(ctx context.Context) (*s3.DeleteObjectOutput, error) {
		return b.client.DeleteObject(ctx, &s3.DeleteObjectInput{Bucket: &b.at.Bucket, Key: b.name(key)})
	})
	if code(err) == "NoSuchKey" {
		return nil // AWS says nothing then, others do
	}
	return err
}

func (b *bucket) abort(ctx context.Context, name, upload *string, how ...func(*s3.Options)) error {
	_, err := within(ctx, b.limits.call, func(ctx context.Context) (*s3.AbortMultipartUploadOutput, error) {
		return b.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &b.at.Bucket, Key: name, UploadId: upload}, how...)
	})
	if code(err) == "NoSuchUpload" {
		return nil
	}
	return err
}

// told is the error of a call for people; a context's own stays what it is.
func (b *bucket) told(ctx context.Context, key string, err error) error {
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case code(err) == "NoSuchKey":
		return failed(Location(b.at), key, ops.ErrNotFound)
	}
	return failed(Location(b.at), "", s3Fault(err, b.at))
}

// Helpers

// within gives a call a limit of its own.
func within[T any](ctx context.Context, limit time.Duration, call func(context.Context) (T, error)) (T, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	return call(ctx)
}

func withScheme(endpoint string) string {
	if strings.Contains(endpoint, "://") {
		return endpoint
	}
	return "https://" + endpoint
}
