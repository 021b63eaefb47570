package ui

import (
	"bytes"
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"regexp"
	"strings"
	"testing"
	"testing/fstest"
)

// maxFirstLoad is what the first page may cost on the wire, gzipped.
const maxFirstLoad = 120 << 10

func ask(t *testing.T, h http.Handler, method, target string, header map[string]string) *http.Response {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, http.NoBody)
	for k, v := range header {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	res := w.Result()
	t.Cleanup(func() { _ = res.Body.Close() })
	return res
}

func body(t *testing.T, res *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func built(t *testing.T) http.Handler {
	t.Helper()
	h, err := newHandler(fstest.MapFS{
		".placeholder":       {Data: []byte("kept")},
		"index.html":         {Data: []byte("<!doctype html><title>lastnight</title>" + strings.Repeat(" ", 200))},
		"favicon.svg":        {Data: []byte("<svg/>")},
		"assets/main-1a.js":  {Data: []byte(strings.Repeat("let a=1;", 300))},
		"assets/main-1a.css": {Data: []byte("a{}")},
	})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestBuilt(t *testing.T) {
	t.Parallel()
	h := built(t)
	for _, c := range []struct {
		target, kind, cache string
		status              int
	}{
		{"/", "text/html; charset=utf-8", "no-cache", 200},
		{"/index.html", "text/html; charset=utf-8", "no-cache", 200},
		{"/incidents/abc", "text/html; charset=utf-8", "no-cache", 200},
		{"/jobs/flink.prod/orders.v2", "text/html; charset=utf-8", "no-cache", 200},
		{"/logs?namespace=a&pod=b", "text/html; charset=utf-8", "no-cache", 200},
		{"/assets/main-1a.js", "text/javascript; charset=utf-8", "public, max-age=31536000, immutable", 200},
		{"/assets/main-1a.css", "text/css; charset=utf-8", "public, max-age=31536000, immutable", 200},
		{"/favicon.svg", "image/svg+xml", "no-cache", 200},
		{"/assets/gone.js", "text/plain; charset=utf-8", "", 404},
		{"/robots.txt", "text/plain; charset=utf-8", "", 404},
		{"/.placeholder", "text/plain; charset=utf-8", "", 404},
		{"/assets/../../embed.go", "text/plain; charset=utf-8", "", 404},
	} {
		res := ask(t, h, http.MethodGet, c.target, nil)
		got := []any{res.StatusCode, res.Header.Get("Content-Type"), res.Header.Get("Cache-Control")}
		want := []any{c.status, c.kind, c.cache}
		for i := range got {
			if got[i] != want[i] {
				t.Errorf("GET %s: %v, want %v", c.target, got, want)
				break
			}
		}
		if c.status == http.StatusOK && res.Header.Get("Content-Security-Policy") != ContentSecurityPolicy {
			t.Errorf("GET %s: no content security policy", c.target)
		}
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	for name, h := range map[string]http.Handler{"built": built(t), "placeholder": http.HandlerFunc(servePlaceholder)} {
		if res := ask(t, h, http.MethodPost, "/", nil); res.StatusCode != http.StatusMethodNotAllowed || res.Header.Get("Allow") != "GET, HEAD" {
			t.Errorf("%s: POST / answers %d, Allow %q", name, res.StatusCode, res.Header.Get("Allow"))
		}
		if res := ask(t, h, http.MethodHead, "/", nil); res.StatusCode != http.StatusOK || body(t, res) != "" {
			t.Errorf("%s: HEAD / answers %d or has a body", name, res.StatusCode)
		}
	}
}

func TestCompressedAndUnchanged(t *testing.T) {
	t.Parallel()
	h := built(t)
	plain := ask(t, h, http.MethodGet, "/assets/main-1a.js", map[string]string{"Accept-Encoding": "br, gzip;q=0"})
	if e := plain.Header.Get("Content-Encoding"); e != "" {
		t.Errorf("gzip was refused, got %q", e)
	}
	zipped := ask(t, h, http.MethodGet, "/assets/main-1a.js", map[string]string{"Accept-Encoding": "br, gzip"})
	if zipped.Header.Get("Content-Encoding") != "gzip" || zipped.Header.Get("Vary") != "Accept-Encoding" {
		t.Fatalf("want gzip, got %v", zipped.Header)
	}
	r, err := gzip.NewReader(zipped.Body)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	if want := body(t, plain); string(got) != want {
		t.Errorf("compressed answer differs: %d bytes, want %d", len(got), len(want))
	}
	again := ask(t, h, http.MethodGet, "/", map[string]string{"If-None-Match": ask(t, h, http.MethodGet, "/", nil).Header.Get("ETag")})
	if again.StatusCode != http.StatusNotModified || body(t, again) != "" {
		t.Errorf("unchanged page answers %d", again.StatusCode)
	}
}

func TestPlaceholder(t *testing.T) {
	t.Parallel()
	h := http.HandlerFunc(servePlaceholder)
	res := ask(t, h, http.MethodGet, "/", nil)
	if page := body(t, res); res.StatusCode != http.StatusOK || !strings.Contains(page, "make ui") || !strings.Contains(page, "/api/v1/") {
		t.Errorf("GET / answers %d: %s", res.StatusCode, page)
	}
	if res := ask(t, h, http.MethodGet, "/incidents/x", nil); res.StatusCode != http.StatusNotFound {
		t.Errorf("GET /incidents/x answers %d", res.StatusCode)
	}
	if _, err := newHandler(fstest.MapFS{".placeholder": {}}); err == nil {
		t.Error("a UI without index.html was taken for a built one")
	}
}

// TestFirstLoad holds what the built UI costs: the page and all that it names.
func TestFirstLoad(t *testing.T) {
	t.Parallel()
	dist, ok := FS()
	if !ok {
		t.Skip("the UI is not built (make ui)")
	}
	h, err := newHandler(dist)
	if err != nil {
		t.Fatal(err)
	}
	page := h.files[index]
	for _, inline := range []string{"<style", "<script>", " style=", " onload="} {
		if bytes.Contains(page.body, []byte(inline)) {
			t.Errorf("index.html has %q, which the content security policy forbids", inline)
		}
	}
	total, named := 0, []string{index}
	for _, m := range regexp.MustCompile(`(?:src|href)="/([^"]+)"`).FindAllSubmatch(page.body, -1) {
		named = append(named, string(m[1]))
	}
	for _, name := range named {
		f, ok := h.files[name]
		if !ok {
			t.Errorf("index.html names %s, which is not there", name)
			continue
		}
		n := len(f.body)
		if f.gzipped != nil {
			n = len(f.gzipped)
		}
		t.Logf("%s: %d bytes on the wire", name, n)
		total += n
	}
	if total > maxFirstLoad {
		t.Errorf("first load is %d bytes, at most %d", total, maxFirstLoad)
	}
	if len(named) < 3 {
		t.Errorf("index.html names only %v", named)
	}
}
