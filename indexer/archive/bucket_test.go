package archive_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	mathrand "math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"gocloud.dev/blob"
	_ "gocloud.dev/blob/s3blob" // the buckets of these tests

	"lastnight/indexer/archive"
	"lastnight/internal/testenv/s3"
)

// faulty stands before an S3 server: fault may answer in its stead, or cut the connection after half of the
// body; lose tells whether the answer to what was carried out is to be lost.
type faulty struct {
	fault func(w http.ResponseWriter, r *http.Request) bool
	lose  func(r *http.Request) bool
}

// bucket opens a bucket of a server through f, and the same bucket directly.
func (f *faulty) bucket(t *testing.T, server *s3.Server, name string) (through, direct archive.Blobs) {
	t.Helper()
	t.Setenv("AWS_MAX_ATTEMPTS", "1") // what fails is seen at once
	target, err := url.Parse(server.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	back := httputil.NewSingleHostReverseProxy(target)
	back.ErrorLog = log.New(io.Discard, "", 0)
	back.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { cut(w) }
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if f.fault != nil && f.fault(w, r) {
			return
		}
		if f.lose != nil && f.lose(r) {
			back.ServeHTTP(httptest.NewRecorder(), r)
			cut(w)
			return
		}
		back.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	at := server.Bucket(t, name)
	open := func(url string) archive.Blobs {
		b, err := blob.OpenBucket(t.Context(), url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = b.Close() })
		return archive.NewBucket(b)
	}
	return open(strings.Replace(at, url.QueryEscape(server.Endpoint), url.QueryEscape(front.URL), 1)), open(at)
}

// cut ends the connection without an answer.
func cut(w http.ResponseWriter) {
	if h, ok := w.(http.Hijacker); ok {
		if conn, _, err := h.Hijack(); err == nil {
			_ = conn.Close()
		}
	}
}

func TestS3KeepsTheContract(t *testing.T) {
	_, direct := (&faulty{}).bucket(t, s3.Start(t), "contract")
	testBlobs(t, direct)
	testArchiveOn(t, direct)
}

// A put of up to 64 MiB, which hardly any segment or chunk exceeds, is one request: nothing is left of one that is broken off. A larger one
// goes in parts, and the upload is given up when it fails.
func TestS3HalfPutsLeaveNothing(t *testing.T) {
	var mu sync.Mutex
	var asked []string
	half := false
	f := &faulty{fault: func(w http.ResponseWriter, r *http.Request) bool {
		mu.Lock()
		defer mu.Unlock()
		asked = append(asked, r.Method+" "+r.URL.RawQuery)
		if half && r.Method == http.MethodPut && (!strings.Contains(r.URL.RawQuery, "partNumber") || strings.Contains(r.URL.RawQuery, "partNumber=2")) {
			_, _ = io.CopyN(io.Discard, r.Body, r.ContentLength/2)
			cut(w)
			return true
		}
		return false
	}}
	through, direct := f.bucket(t, s3.Start(t), "puts")
	data := make([]byte, 65<<20)
	_, _ = rand.Read(data)
	for _, size := range []int{100, 5 << 20, 64<<20 - 1, len(data)} {
		asked = nil
		name := fmt.Sprintf("chunks/%d", size)
		if err := through.Put(t.Context(), name, data[:size]); err != nil {
			t.Fatal(err)
		}
		if size < 64<<20 && (len(asked) != 1 || !strings.HasPrefix(asked[0], "PUT")) {
			t.Errorf("%d bytes took %q", size, asked)
		}
		got, err := direct.Get(t.Context(), name, 0, int64(size))
		if err != nil || !bytes.Equal(got, data[:size]) {
			t.Errorf("%d bytes do not come back: %v", size, err)
		}
	}
	before := collect(t, direct.List(t.Context(), ""))
	half, asked = true, nil
	for _, size := range []int{100, 5 << 20, len(data)} {
		if err := through.Put(t.Context(), "chunks/new", data[:size]); err == nil {
			t.Errorf("%d bytes were put half, and no error", size)
		}
	}
	equal(t, collect(t, direct.List(t.Context(), "")), before)
	begun, ended := 0, 0
	for _, r := range asked {
		switch {
		case strings.HasPrefix(r, "POST ") && strings.Contains(r, "uploads"):
			begun++
		case strings.HasPrefix(r, "DELETE ") && strings.Contains(r, "uploadId="):
			ended++
		}
	}
	if begun != 1 || ended != 1 {
		t.Errorf("%d uploads in parts were begun, %d given up: %q", begun, ended, asked)
	}
}

func TestS3SlowEndsWithTheContext(t *testing.T) {
	slow := make(chan struct{})
	f := &faulty{fault: func(_ http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPut {
			<-slow
		}
		return false
	}}
	through, direct := f.bucket(t, s3.Start(t), "slow")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if err := through.Put(ctx, "segments/a", []byte("x")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a put that takes too long: %v", err)
	}
	close(slow)
	if err := through.Put(t.Context(), "segments/a", []byte("x")); err != nil {
		t.Error(err)
	}
	equal(t, collect(t, direct.List(t.Context(), "")), []archive.BlobInfo{{Name: "segments/a", Size: 1}})
}

// Refusals, cut connections and lost answers: who appends until it succeeds, as collectors do, loses and doubles nothing.
func TestS3Storm(t *testing.T) {
	var mu sync.Mutex
	rnd := mathrand.New(mathrand.NewPCG(5, 6))
	calm := false
	roll := func() int {
		mu.Lock()
		defer mu.Unlock()
		if calm {
			return 100
		}
		return rnd.IntN(100)
	}
	f := &faulty{
		fault: func(w http.ResponseWriter, r *http.Request) bool {
			switch n := roll(); {
			case n < 10:
				w.WriteHeader(http.StatusServiceUnavailable)
			case n < 20:
				_, _ = io.CopyN(io.Discard, r.Body, r.ContentLength/2)
				cut(w)
			default:
				return false
			}
			return true
		},
		lose: func(r *http.Request) bool { return r.Method == http.MethodPut && roll() < 15 },
	}
	through, direct := f.bucket(t, s3.Start(t), "storm")
	again := func(do func() error) {
		t.Helper()
		for try := 0; ; try++ {
			err := do()
			if err == nil {
				return
			}
			if try > 200 {
				t.Fatal(err)
			}
		}
	}
	var a *archive.Archive
	again(func() (err error) {
		a, err = archive.Open(t.Context(), archive.Config{Blobs: through})
		return err
	})
	w := newWriter("pod-1")
	var want []string
	for i := range 6 {
		line := fmt.Sprintf("line %d", i)
		want = append(want, line)
		item := w.span(line)
		again(func() error {
			_, err := a.Append(t.Context(), []archive.Item{item})
			return err
		})
		if i == 3 {
			again(func() error { return a.Compact(t.Context()) })
		}
	}
	mu.Lock()
	calm = true
	mu.Unlock()
	equal(t, raw(t, a, "pod-1"), want)
	other, err := archive.Open(t.Context(), archive.Config{Blobs: direct})
	if err != nil {
		t.Fatal(err)
	}
	equal(t, raw(t, other, "pod-1"), want)
	if err := other.Compact(t.Context()); err != nil {
		t.Fatal(err)
	}
	equal(t, raw(t, other, "pod-1"), want)
}
