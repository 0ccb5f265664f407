package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
)

// mostResumes is how often in a row a download is taken up again without that a
// byte comes.
const mostResumes = 4

// download is an object that is being read.
type download struct {
	bucket *bucket
	ctx    context.Context
	key    string

	body   io.ReadCloser
	cancel context.CancelFunc
	etag   *string
	at     int64 // read so far
	size   int64
	barren int // times it was taken up without a byte since
}

// Read goes on in the same version of the object when the connection breaks.
func (d *download) Read(b []byte) (int, error) {
	for {
		if d.body == nil {
			if err := d.open(); err != nil {
				return 0, d.bucket.told(d.ctx, d.key, err)
			}
		}
		n, err := d.read(b)
		d.at += int64(n)
		if n > 0 {
			d.barren = 0
		}
		switch {
		case err == nil, errors.Is(err, io.EOF) && d.at == d.size:
			return n, err
		case d.ctx.Err() != nil:
			return n, context.Cause(d.ctx)
		case d.barren == mostResumes:
			return n, d.bucket.told(d.ctx, d.key, fmt.Errorf("reading broke off after %d of %d bytes, again and again: %w", d.at, d.size, cut(err)))
		}
		d.drop()
		d.barren++
		if n > 0 {
			return n, nil
		}
	}
}

// Close ends the reading.
func (d *download) Close() error {
	d.drop()
	return nil
}

// Private

func (d *download) open() error {
	in := &s3.GetObjectInput{Bucket: &d.bucket.at.Bucket, Key: d.bucket.name(d.key)}
	if d.at > 0 {
		in.Range, in.IfMatch = aws.String(fmt.Sprintf("bytes=%d-", d.at)), d.etag
	}
	ctx, cancel := context.WithCancel(d.ctx)
	late := time.AfterFunc(d.bucket.limits.call, cancel)
	out, err := d.bucket.client.GetObject(ctx, in)
	if !late.Stop() && d.ctx.Err() == nil {
		err = errors.Join(context.DeadlineExceeded, err)
	}
	if err == nil && d.at > 0 && aws.ToInt64(out.ContentLength) != d.size-d.at {
		err = errors.New("the service cannot go on in the middle of an object")
	}
	if err != nil {
		cancel()
		if out != nil && out.Body != nil {
			_ = out.Body.Close()
		}
		return err
	}
	d.body, d.cancel = out.Body, cancel
	if d.at == 0 {
		d.etag, d.size = out.ETag, aws.ToInt64(out.ContentLength)
	}
	return nil
}

// read reads once, and not forever.
func (d *download) read(b []byte) (int, error) {
	stalled := time.AfterFunc(d.bucket.limits.stall, d.cancel)
	defer stalled.Stop()
	return d.body.Read(b)
}

func (d *download) drop() {
	if d.body != nil {
		d.cancel()
		_ = d.body.Close()
		d.body = nil
	}
}

// Helpers

// cut is the error of a body that ended early.
func cut(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
