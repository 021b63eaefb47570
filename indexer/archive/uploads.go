package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob"
)

// What a put that never ended leaves behind, because its process died or its disk failed, is not seen by any reader, but it
// lies there and costs: parts of an upload on S3, temporary files in a folder. Whoever does the archive's upkeep calls
// DropUnfinished now and then. Google's and Azure's stores drop such things by themselves, after a week.

// UnfinishedAge is how old what DropUnfinished removes should be: no put takes so long.
const UnfinishedAge = 6 * time.Hour

// singlePut is below how many bytes a put to S3 is one request, of which half is nothing: hardly any chunk is larger, not even
// where nothing compresses. Above, it goes in parts.
const singlePut = 64 << 20

// fileTemp ends the names of fileblob's temporary files, and of no blob of ours.
const fileTemp = ".tmp"

// DropUnfinished removes what puts have left that were begun before a time and never ended, whoever's they were, and tells
// how many there were.
func (k *Bucket) DropUnfinished(ctx context.Context, before time.Time) (int, error) {
	dropped := 0
	for _, folder := range []string{segmentFolder, chunkFolder, manifestFolder} {
		n, err := k.dropUnfinished(ctx, folder, before)
		if dropped += n; err != nil {
			return dropped, fmt.Errorf("drop half-done uploads in %s: %w", folder, err)
		}
	}
	return dropped, nil
}

func (k *Bucket) dropUnfinished(ctx context.Context, folder string, before time.Time) (int, error) {
	if k.s3 != nil {
		return k.abortUploads(ctx, folder, before)
	}
	if !k.files {
		return 0, nil
	}
	dropped := 0
	it := k.b.List(&blob.ListOptions{Prefix: folder})
	for {
		o, err := it.Next(ctx)
		switch {
		case err == io.EOF: //nolint:errorlint // itself: see Bucket.List
			return dropped, nil
		case err != nil:
			return dropped, err
		case !strings.HasSuffix(o.Key, fileTemp) || !o.ModTime.Before(before):
			continue
		}
		if err := k.Delete(ctx, o.Key); err != nil {
			return dropped, err
		}
		dropped++
	}
}

// abortUploads gives up the uploads in parts of what would be in a folder.
func (k *Bucket) abortUploads(ctx context.Context, folder string, before time.Time) (int, error) {
	bucket, prefix, err := k.place(ctx, folder)
	if err != nil {
		return 0, err
	}
	dropped := 0
	pages := s3.NewListMultipartUploadsPaginator(k.s3, &s3.ListMultipartUploadsInput{Bucket: bucket, Prefix: prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return dropped, fmt.Errorf("list uploads: %w", err)
		}
		for _, u := range page.Uploads {
			if u.Initiated == nil || !u.Initiated.Before(before) || !strings.HasPrefix(aws.ToString(u.Key), aws.ToString(prefix)) {
				continue
			}
			if _, err := k.s3.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: bucket, Key: u.Key, UploadId: u.UploadId}); err != nil {
				return dropped, fmt.Errorf("give up the upload of %s: %w", aws.ToString(u.Key), err)
			}
			dropped++
		}
	}
	return dropped, nil
}

// place gives S3's names of the bucket and of a folder in it, which only the driver knows: it is asked for a list
// that is not made.
func (k *Bucket) place(ctx context.Context, folder string) (bucket, prefix *string, err error) {
	stop := errors.New("nothing need be listed")
	_, err = k.b.List(&blob.ListOptions{Prefix: folder, BeforeList: func(as func(any) bool) error {
		var in *s3.ListObjectsV2Input
		if as(&in) {
			bucket, prefix = in.Bucket, in.Prefix
		}
		return stop
	}}).Next(ctx)
	if bucket == nil || prefix == nil {
		return nil, nil, fmt.Errorf("find out the bucket's name: %w", err)
	}
	return bucket, prefix, nil
}

// learn finds out what kind of store a bucket is.
func (k *Bucket) learn() {
	var client *s3.Client
	if k.b.As(&client) {
		k.s3 = client
	}
	var folder os.FileInfo
	k.files = k.b.As(&folder)
}

// oneRequest makes S3's driver put in one request what is smaller than singlePut.
func (k *Bucket) oneRequest(as func(any) bool) error {
	var m *transfermanager.Client
	if k.s3 != nil && as(&m) {
		*m = *transfermanager.New(k.s3, func(o *transfermanager.Options) {
			o.MultipartUploadThreshold = singlePut
			o.RequestChecksumCalculation = k.s3.Options().RequestChecksumCalculation // as the driver does
		})
	}
	return nil
}

// DropUnfinished removes what puts have left that were begun before a time and never ended, and tells how many there
// were. A put of this process that is under way began after.
func (d *Dir) DropUnfinished(ctx context.Context, before time.Time) (int, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return d.dropUnfinished(before)
}

func (d *Dir) dropUnfinished(before time.Time) (int, error) {
	left, err := d.fs.List(tempFolder)
	if err != nil {
		return 0, fmt.Errorf("list unfinished files: %w", err)
	}
	dropped := 0
	for _, f := range left {
		at, err := strconv.ParseInt(strings.SplitN(path.Base(f.Name), "-", 2)[0], 16, 64)
		if err == nil && !time.Unix(0, at).Before(before) {
			continue
		}
		if err := d.fs.Remove(f.Name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return dropped, fmt.Errorf("remove unfinished file %s: %w", f.Name, err)
		}
		dropped++
	}
	return dropped, nil
}
