package s3_test

import (
	"testing"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/s3blob"

	"lastnight/internal/testenv/s3"
)

func TestServerKeepsItsBuckets(t *testing.T) {
	s := s3.Start(t)
	b, err := blob.OpenBucket(t.Context(), s.Bucket(t, "archive"))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if err := b.WriteAll(t.Context(), "a/b", []byte("x"), nil); err != nil {
		t.Fatal(err)
	}
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got, err := b.ReadAll(t.Context(), "a/b"); err != nil || string(got) != "x" {
		t.Errorf("after kill and restart: %q, %v", got, err)
	}
}
