package archive_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"

	"lastnight/indexer/archive"
	s3server "lastnight/internal/testenv/s3"
	"lastnight/internal/vfs"
)

// begin begins an upload in parts and leaves it, as a process does that is killed.
func begin(t *testing.T, c *s3.Client, bucket, key string) {
	t.Helper()
	up, err := c.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &bucket, Key: &key})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.UploadPart(t.Context(), &s3.UploadPartInput{
		Bucket: &bucket, Key: &key, UploadId: up.UploadId, PartNumber: aws.Int32(1), Body: bytes.NewReader(make([]byte, 5<<20)),
	})
	if err != nil {
		t.Fatal(err)
	}
}

func uploads(t *testing.T, c *s3.Client, bucket string) (keys []string) {
	t.Helper()
	out, err := c.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: &bucket})
	if err != nil {
		t.Fatal(err)
	}
	for _, u := range out.Uploads {
		keys = append(keys, *u.Key)
	}
	return keys
}

// TestS3HalfDoneUploadsGo: what a killed process has begun is given up once it is old; what is young, and what is
// not the archive's, is left, and so is what is complete.
func TestS3HalfDoneUploadsGo(t *testing.T) {
	server := s3server.Start(t)
	for _, prefix := range []string{"", "team a/lastnight/"} {
		name := "uploads" + string(rune('a'+len(prefix)))
		url := server.Bucket(t, name)
		if prefix != "" {
			url += "&prefix=" + strings.ReplaceAll(prefix, " ", "%20")
		}
		bucket, err := blob.OpenBucket(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = bucket.Close() })
		var c *s3.Client
		if !bucket.As(&c) {
			t.Fatal("no client")
		}
		k := archive.NewBucket(bucket)
		if err := k.Put(t.Context(), "chunks/whole", []byte("x")); err != nil {
			t.Fatal(err)
		}
		for _, key := range []string{"chunks/1.chk", "chunks/1.chk", "manifests/2.man", "segments/3.seg"} {
			begin(t, c, name, prefix+key)
		}
		foreign := "somebody/else"
		begin(t, c, name, foreign)
		drop := func(before time.Time, want int) {
			t.Helper()
			n, err := k.DropUnfinished(t.Context(), before)
			if err != nil {
				t.Fatal(err)
			}
			equal(t, n, want)
		}
		drop(time.Now().Add(-time.Hour), 0)
		equal(t, len(uploads(t, c, name)), 5)
		drop(time.Now().Add(time.Hour), 4)
		equal(t, uploads(t, c, name), []string{foreign})
		drop(time.Now().Add(time.Hour), 0)
		equal(t, collect(t, k.List(t.Context(), "")), []archive.BlobInfo{{Name: "chunks/whole", Size: 1}})
	}
}

// TestFilesLeftBehindGo: temporary files of fileblob and of our own folders are no blobs, and go when they are old.
func TestFilesLeftBehindGo(t *testing.T) {
	root := t.TempDir()
	bucket, err := fileblob.OpenBucket(root, &fileblob.Options{Metadata: fileblob.MetadataDontWrite, NoTempDir: true, CreateDir: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = bucket.Close() }()
	disk, err := vfs.NewOS(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = disk.Close() }()
	dir, err := archive.NewDir(disk)
	if err != nil {
		t.Fatal(err)
	}
	k := archive.NewBucket(bucket)
	for _, b := range []archive.Blobs{k, dir} {
		if err := b.Put(t.Context(), "chunks/1.chk", []byte("x")); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(root, "chunks", "2.chk.18a.tmp"), []byte("half"), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := disk.Create(".tmp/17-x-1") // begun in 1970
	if err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	drop := func(what func(context.Context, time.Time) (int, error), before time.Time, want int) {
		t.Helper()
		n, err := what(t.Context(), before)
		if err != nil {
			t.Fatal(err)
		}
		equal(t, n, want)
	}
	drop(k.DropUnfinished, time.Now().Add(-time.Hour), 0)
	drop(dir.DropUnfinished, time.Unix(0, 0), 0)
	for _, b := range []archive.Blobs{k, dir} {
		equal(t, collect(t, b.List(t.Context(), "")), []archive.BlobInfo{{Name: "chunks/1.chk", Size: 1}})
	}
	drop(k.DropUnfinished, time.Now().Add(time.Hour), 1)
	drop(dir.DropUnfinished, time.Now().Add(-time.Hour), 1)
	left, err := filepath.Glob(filepath.Join(root, "*", "*"))
	if err != nil {
		t.Fatal(err)
	}
	equal(t, left, []string{filepath.Join(root, "chunks", "1.chk")})
	temp, err := disk.List(".tmp")
	if err != nil {
		t.Fatal(err)
	}
	equal(t, len(temp), 0)
}
