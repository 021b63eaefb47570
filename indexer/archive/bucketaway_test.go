package archive_test

import (
	"errors"
	"io/fs"
	"net/http"
	"sync/atomic"
	"testing"

	"lastnight"
	"lastnight/internal/testenv/s3"
)

// An object store that refuses, is overloaded or cuts connections is away (503, come again), whatever was asked of it; a blob that is not
// there is missing.
func TestS3AwayIsUnavailable(t *testing.T) {
	var answer atomic.Int64 // 0: as it is; -1: cut
	f := &faulty{fault: func(w http.ResponseWriter, _ *http.Request) bool {
		switch n := int(answer.Load()); {
		case n < 0:
			cut(w)
		case n > 0:
			w.WriteHeader(n)
		}
		return answer.Load() != 0
	}}
	through, _ := f.bucket(t, s3.Start(t), "away")
	if err := through.Put(t.Context(), "segments/a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if _, err := through.Get(t.Context(), "segments/b", 0, 1); !errors.Is(err, fs.ErrNotExist) || lastnight.CodeOf(err) == lastnight.CodeUnavailable {
		t.Errorf("a blob that is not there: %v", err)
	}
	for _, n := range []int{-1, http.StatusForbidden, http.StatusServiceUnavailable} {
		answer.Store(int64(n))
		_, get := through.Get(t.Context(), "segments/a", 0, 1)
		_, size := through.Size(t.Context(), "segments/a")
		var list error
		for _, err := range through.List(t.Context(), "") {
			list = err
		}
		for what, err := range map[string]error{
			"put": through.Put(t.Context(), "segments/c", []byte("x")), "get": get, "size": size, "list": list, "delete": through.Delete(t.Context(), "segments/a"),
		} {
			if lastnight.CodeOf(err) != lastnight.CodeUnavailable || lastnight.HintOf(err) == "" {
				t.Errorf("%s, answered with %d: %v", what, n, err)
			}
		}
	}
}
