package elasticstore_test

import (
	"io"
	"log"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
)

// proxy stands before the node of these tests. fault may answer or cut a request in its stead:
// it tells whether it did. after is called when the node has carried a request out, before
// its answer is passed on; it tells whether the answer is to be lost.
type proxy struct {
	fault func(w http.ResponseWriter, r *http.Request) bool
	after func(r *http.Request) bool
}

func (p *proxy) handler(t *testing.T, target string) http.Handler {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	back := httputil.NewSingleHostReverseProxy(u)
	back.ErrorLog = log.New(io.Discard, "", 0)
	back.ErrorHandler = func(w http.ResponseWriter, _ *http.Request, _ error) { cut(w) }
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if p.fault != nil && p.fault(w, r) {
			return
		}
		if p.after == nil {
			back.ServeHTTP(w, r)
			return
		}
		rec := httptest.NewRecorder()
		back.ServeHTTP(rec, r)
		if p.after(r) {
			cut(w)
			return
		}
		maps.Copy(w.Header(), rec.Header())
		w.WriteHeader(rec.Code)
		_, _ = w.Write(rec.Body.Bytes())
	})
}

// cut ends the connection without an answer.
func cut(w http.ResponseWriter) {
	if h, ok := w.(http.Hijacker); ok {
		if conn, _, err := h.Hijack(); err == nil {
			_ = conn.Close()
		}
	}
}

// before starts a proxy before the node and gives its address.
func (p *proxy) before(t *testing.T, target string) string {
	t.Helper()
	s := httptest.NewServer(p.handler(t, target))
	t.Cleanup(s.Close)
	return s.URL
}
