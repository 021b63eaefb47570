package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strings"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"

	"lastnight"
)

// Bucket keeps blobs in an object store, whatever gocloud.dev/blob has a driver for.
// The driver must make a blob visible only when it is complete, as object stores do.
type Bucket struct {
	b     *blob.Bucket
	s3    *s3.Client // nil: it is none of S3's
	files bool       // fileblob
}

var _ Blobs = (*Bucket)(nil)

// NewBucket makes Blobs of an open bucket, which stays the caller's to close.
func NewBucket(b *blob.Bucket) *Bucket {
	k := &Bucket{b: b}
	k.learn()
	return k
}

// Put stores a blob.
func (k *Bucket) Put(ctx context.Context, name string, data []byte) error {
	if err := k.b.WriteAll(ctx, name, data, &blob.WriterOptions{ContentType: "application/octet-stream", BeforeWrite: k.oneRequest}); err != nil {
		return away(fmt.Errorf("put %s: %w", name, err))
	}
	return nil
}

// Get reads a range.
func (k *Bucket) Get(ctx context.Context, name string, off, n int64) ([]byte, error) {
	if off < 0 || n < 0 {
		return nil, fmt.Errorf("get %s: %d bytes at %d: %w", name, n, off, io.ErrUnexpectedEOF)
	}
	r, err := k.b.NewRangeReader(ctx, name, off, n, nil)
	if err != nil {
		return nil, away(fmt.Errorf("get %s: %w", name, asMissing(err)))
	}
	if off > r.Size() || n > r.Size()-off { // before allocating what a damaged directory asks for
		return nil, errors.Join(fmt.Errorf("get %s: %d bytes at %d of %d: %w", name, n, off, r.Size(), io.ErrUnexpectedEOF), r.Close())
	}
	b := make([]byte, n)
	_, err = io.ReadFull(r, b)
	if err := errors.Join(err, r.Close()); err != nil { // the connection was cut: the blob has as many bytes
		return nil, away(fmt.Errorf("get %s: %w", name, err))
	}
	return b, nil
}

// Size gives the length of a blob.
func (k *Bucket) Size(ctx context.Context, name string) (int64, error) {
	a, err := k.b.Attributes(ctx, name)
	if err != nil {
		return 0, away(fmt.Errorf("size of %s: %w", name, asMissing(err)))
	}
	return a.Size, nil
}

// List streams the blobs by name.
func (k *Bucket) List(ctx context.Context, prefix string) iter.Seq2[BlobInfo, error] {
	return func(yield func(BlobInfo, error) bool) {
		it := k.b.List(&blob.ListOptions{Prefix: prefix})
		for {
			o, err := it.Next(ctx)
			if err == io.EOF { //nolint:errorlint // itself: a connection that was cut is an io.EOF in a chain, and not the end of the list
				return
			}
			if err != nil {
				yield(BlobInfo{}, away(fmt.Errorf("list blobs: %w", err)))
				return
			}
			if k.files && strings.HasSuffix(o.Key, fileTemp) {
				continue
			}
			if !yield(BlobInfo{Name: o.Key, Size: o.Size}, nil) {
				return
			}
		}
	}
}

// Delete removes a blob.
func (k *Bucket) Delete(ctx context.Context, name string) error {
	if err := k.b.Delete(ctx, name); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
		return away(fmt.Errorf("delete %s: %w", name, err))
	}
	return nil
}

// asMissing makes the store's way of saying so fs.ErrNotExist.
func asMissing(err error) error {
	if gcerrors.Code(err) == gcerrors.NotFound {
		return errors.Join(fs.ErrNotExist, err)
	}
	return err
}

// away says that the object store, which is another machine's, did not do what it was asked for: it may later. A blob
// that is missing and a caller who has gone are told as they are.
func away(err error) error {
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return lastnight.Errorf(lastnight.CodeUnavailable, "see whether the bucket's object store is up and its permissions are right", "the object store failed: %w", err)
}
