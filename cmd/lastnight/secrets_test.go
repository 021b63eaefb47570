package main

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"lastnight/internal/testenv/elasticsearch"
)

// TestStoreSecretsStaySecret serves with a key from a file, in front of an Elasticsearch that now and then refuses:
// the key goes out, and is in nothing that the server says.
func TestStoreSecretsStaySecret(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Elasticsearch")
	}
	const key, password = "c2VjcmV0LWtleS1vZi1hLXRlc3Q=", "secret-password-of-a-test"
	node, err := url.Parse(elasticsearch.Start(t).URL)
	if err != nil {
		t.Fatal(err)
	}
	var asked atomic.Int64
	var refuse atomic.Bool
	back := httputil.NewSingleHostReverseProxy(node)
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.Header.Get("Authorization"), " "+key) {
			asked.Add(1)
		}
		r.Header.Del("Authorization")
		if refuse.Load() {
			w.Header().Set("X-Elastic-Product", "Elasticsearch")
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		back.ServeHTTP(w, r)
	}))
	defer front.Close()
	file := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(file, []byte(key+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	cmd := lastnightCommand(ctx, t, "serve", "-v", "--listen", "127.0.0.1:0", "--data", filepath.Join(t.TempDir(), "data"), "--store", front.URL)
	cmd.Env = append(cmd.Env, "LASTNIGHT_STORE_API_KEY_FILE="+file, "LASTNIGHT_STORE_USERNAME=ann", "LASTNIGHT_STORE_PASSWORD="+password)
	said, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var all bytes.Buffer
	address := regexp.MustCompile(`listens on (http://[0-9.:]+)`)
	buf := make([]byte, 4096)
	for address.FindSubmatch(all.Bytes()) == nil {
		n, err := said.Read(buf)
		if all.Write(buf[:n]); err != nil {
			t.Fatalf("the server did not start: %v: %s", err, all.String())
		}
	}
	base := string(address.FindSubmatch(all.Bytes())[1])
	get := func(path string) string {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, base+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	answers := get("/api/v1/incidents") + get("/readyz") + get("/version")
	refuse.Store(true)
	answers += get("/api/v1/incidents") + get("/api/v1/jobs") + get("/readyz") + get("/metrics")
	if !strings.Contains(answers, "lastnight_store_requests_total") || asked.Load() == 0 {
		t.Errorf("%d requests with the key; answers: %.500s", asked.Load(), answers)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	time.AfterFunc(30*time.Second, cancel)
	_, _ = io.Copy(&all, said)
	_ = cmd.Wait() // how it ended, while Elasticsearch refuses, is no matter
	for _, where := range []string{answers, all.String()} {
		for _, secret := range []string{key, strings.TrimRight(key, "="), password} {
			if strings.Contains(where, secret) {
				t.Errorf("%q is in %s", secret, where)
			}
		}
	}
	if !strings.Contains(all.String()+answers, "LASTNIGHT_STORE_API_KEY") {
		t.Errorf("nothing says what to do about the refusal: %s %s", all.String(), answers)
	}
}
