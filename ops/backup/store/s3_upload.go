package store

import (
	"bytes"
	"cmp"
	"context"
	"crypto/md5" //nolint:gosec // S3's own checksum of a part, against accidents
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"
)

const (
	firstPart     = 8 << 20
	evenPart      = 16 << 20 // where all have to be of one size
	largestPart   = 1 << 30
	partsOfASize  = 800
	mostParts     = 10_000 // of S3
	partsInMemory = 2      // being filled or on their way
)

// mark is the name of an object's own field that tells which Put wrote it.
const mark = "upload"

// Put sends a small body in one piece and a larger one in parts, two of which
// are held in memory: 8 MiB each up to 6 GiB, larger ones after that.
func (b *bucket) Put(ctx context.Context, key string, body io.Reader) error {
	if err := checkKey(key); err != nil {
		return b.told(ctx, "", err)
	}
	o := object{bucket: b, key: key, mark: newMark()}
	from := &source{ctx: ctx, r: body}
	first := make([]byte, b.partSize(1))
	n, ended, err := fill(from, first)
	switch {
	case err != nil:
	case ended:
		err = o.whole(ctx, first[:n])
	default:
		err = o.inParts(ctx, from, first)
	}
	if err != nil && from.err != nil {
		return from.err
	}
	return b.told(ctx, key, o.settle(ctx, err))
}

// Private

// object is one that is being written.
type object struct {
	*bucket
	key  string
	mark string
}

// whole sends all of an object at once.
func (o object) whole(ctx context.Context, body []byte) error {
	_, err := within(ctx, o.limits.part, func(ctx context.Context) (*s3.PutObjectOutput, error) {
		return o.client.PutObject(ctx, &s3.PutObjectInput{
			Bucket: &o.at.Bucket, Key: o.name(o.key), Body: bytes.NewReader(body), ContentMD5: sum(body),
			ServerSideEncryption: types.ServerSideEncryption(o.at.SSE), SSEKMSKeyId: orNil(o.at.KMSKey),
			Metadata: map[string]string{mark: o.mark},
		})
	})
	return err
}

// inParts sends an object in parts, and takes them back when it fails.
func (o object) inParts(ctx context.Context, from *source, first []byte) error {
	made, err := within(ctx, o.limits.call, func(ctx context.Context) (*s3.CreateMultipartUploadOutput, error) {
		return o.client.CreateMultipartUpload(ctx, &s3.CreateMultipartUploadInput{
			Bucket: &o.at.Bucket, Key: o.name(o.key),
			ServerSideEncryption: types.ServerSideEncryption(o.at.SSE), SSEKMSKeyId: orNil(o.at.KMSKey),
			Metadata: map[string]string{mark: o.mark},
		})
	})
	if err != nil {
		return err
	}
	parts, err := o.send(ctx, from, first, made.UploadId)
	if err == nil {
		_, err = within(ctx, o.limits.complete, func(ctx context.Context) (*s3.CompleteMultipartUploadOutput, error) {
			return o.client.CompleteMultipartUpload(ctx, &s3.CompleteMultipartUploadInput{
				Bucket: &o.at.Bucket, Key: o.name(o.key), UploadId: made.UploadId,
				MultipartUpload: &types.CompletedMultipartUpload{Parts: parts},
			})
		})
	}
	if err != nil {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanLimit)
		defer cancel()
		_ = o.abort(ctx, o.name(o.key), made.UploadId, hurried) // what stays is for Sweep
	}
	return err
}

// send reads parts and sends them side by side; all have ended when it returns.
func (o object) send(ctx context.Context, from *source, first []byte, upload *string) ([]types.CompletedPart, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	from.ctx = ctx // a part that fails ends the reading
	var (
		mu   sync.Mutex
		sent []types.CompletedPart
	)
	free := make(chan []byte, partsInMemory)
	for range partsInMemory - 1 {
		free <- nil
	}
	part, ended, err := first, false, error(nil)
	for number := 1; ; number++ {
		body := part
		group.Go(func() error {
			done, err := o.part(ctx, upload, number, body)
			if err != nil {
				return err
			}
			mu.Lock()
			sent = append(sent, done)
			mu.Unlock()
			free <- body[:cap(body)]
			return nil
		})
		if ended {
			break
		}
		if number == mostParts {
			err = errors.New("it is larger than the service takes an object whose size it is not told")
			break
		}
		var buffer []byte
		select {
		case buffer = <-free:
		case <-ctx.Done():
			return nil, cmp.Or(group.Wait(), ctx.Err())
		}
		if size := o.partSize(number + 1); len(buffer) < size {
			buffer = make([]byte, size)
		}
		var n int
		if n, ended, err = fill(from, buffer); err != nil || n == 0 {
			break
		}
		part = buffer[:n]
	}
	if err != nil {
		cancel()
		if failed := group.Wait(); failed != nil && !errors.Is(failed, context.Canceled) {
			return nil, failed
		}
		return nil, err
	}
	err = group.Wait()
	slices.SortFunc(sent, func(a, b types.CompletedPart) int { return cmp.Compare(*a.PartNumber, *b.PartNumber) })
	return sent, err
}

func (o object) part(ctx context.Context, upload *string, number int, body []byte) (types.CompletedPart, error) {
	limit := o.limits.part * time.Duration((len(body)+firstPart-1)/firstPart)
	out, err := within(ctx, limit, func(ctx context.Context) (*s3.UploadPartOutput, error) {
		return o.client.UploadPart(ctx, &s3.UploadPartInput{
			Bucket: &o.at.Bucket, Key: o.name(o.key), UploadId: upload, PartNumber: aws.Int32(int32(number)),
			Body: bytes.NewReader(body), ContentMD5: sum(body),
		})
	})
	if err != nil {
		return types.CompletedPart{}, fmt.Errorf("part %d: %w", number, err)
	}
	return types.CompletedPart{ETag: out.ETag, PartNumber: aws.Int32(int32(number))}, nil
}

// settle looks after a Put that failed whether the object came to be all the
// same: an answer can be lost, and a cancel can be too late. It is there
// then, or removed when nobody wants it any more.
func (o object) settle(ctx context.Context, err error) error {
	if err == nil || refused(err) {
		return err
	}
	after, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanLimit)
	defer cancel()
	head, lost := o.client.HeadObject(after, &s3.HeadObjectInput{Bucket: &o.at.Bucket, Key: o.name(o.key)}, hurried)
	if lost != nil || head.Metadata[mark] != o.mark {
		return err
	}
	if ctx.Err() == nil {
		return nil
	}
	_ = o.remove(after, o.key)
	return err
}

// Helpers

// growing is how large a part of that number is, from 1 on: twice as large every
// 800 parts, up to 1 GiB. All together hold 5 TiB.
func growing(number int) int {
	return min(firstPart<<min((number-1)/partsOfASize, 10), largestPart)
}

// even is for a service that wants all parts but the last of one size. All
// together hold 156 GiB.
func even(int) int { return evenPart }

// fill reads until the buffer is full or the body has ended.
func fill(from io.Reader, buffer []byte) (n int, ended bool, err error) {
	for n < len(buffer) && err == nil {
		var more int
		more, err = from.Read(buffer[n:])
		n += more
	}
	if errors.Is(err, io.EOF) {
		return n, true, nil
	}
	return n, false, err
}

func sum(body []byte) *string {
	digest := md5.Sum(body) //nolint:gosec // as above
	return aws.String(base64.StdEncoding.EncodeToString(digest[:]))
}

func newMark() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	return hex.EncodeToString(b[:])
}

func orNil(text string) *string {
	if text == "" {
		return nil
	}
	return &text
}

// hurried is for the calls after a failure, which shall not hold it back.
func hurried(o *s3.Options) { o.RetryMaxAttempts = 2 }
