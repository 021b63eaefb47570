package main

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"lastnight/internal/recorded"
)

// syncBuffer is a buffer that is read while it is written.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

var listensOn = regexp.MustCompile(`listens on (https?://\S+),`)

// startGuarded runs `lastnight serve` in this process until the test ends, and gives its address and what it says.
func startGuarded(t *testing.T, args ...string) (address string, says *syncBuffer) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	says = &syncBuffer{}
	done := make(chan int, 1)
	go func() {
		done <- run(ctx, append([]string{"serve", "--listen", "127.0.0.1:0"}, args...), strings.NewReader(""), says, says)
	}()
	t.Cleanup(func() {
		cancel()
		if code := <-done; code != 0 {
			t.Errorf("serve ends with %d: %s", code, says)
		}
	})
	for range 200 {
		if m := listensOn.FindStringSubmatch(says.String()); m != nil {
			return m[1], says
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("the server does not start: %s", says)
	return "", nil
}

// command runs one command line and gives its exit code and both outputs.
func command(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	code = run(t.Context(), args, strings.NewReader(""), &stdout, &stderr)
	return code, stdout.String(), stderr.String()
}

// TestCommandsWithTokens asks a real server as an administrator, as somebody of another namespace, and as nobody.
func TestCommandsWithTokens(t *testing.T) {
	dir := t.TempDir()
	cases, data := filepath.Join(dir, "case"), filepath.Join(dir, "data")
	if err := recorded.Extract(t.Context(), "tm-oomkilled", cases); err != nil {
		t.Fatal(err)
	}
	if code, _, errs := command(t, "import", cases, "--data", data); code != 0 {
		t.Fatal(errs)
	}
	_, admin, entryA := command(t, "token", "ann", "--role", "admin")
	_, other, entryB := command(t, "token", "bob", "--namespaces", "elsewhere")
	tokens := filepath.Join(dir, "tokens.yaml")
	if err := os.WriteFile(tokens, []byte("tokens:\n"+entryA+entryB), 0o600); err != nil {
		t.Fatal(err)
	}
	server, says := startGuarded(t, "--data", data, "--auth-tokens", tokens)
	for _, c := range []struct {
		token string
		args  []string
		code  int
		want  string
	}{
		{"", []string{"jobs"}, 1, "who are you?"},
		{"ln_wrong", []string{"jobs"}, 1, "not known here"},
		{admin, []string{"why", "clickstream-sessions", "--since", "2020-01-01"}, 0, "OOMKilled"},
		{other, []string{"why", "clickstream-sessions", "--since", "2020-01-01"}, 3, "no job"},
		{other, []string{"jobs", "-n", "flink-prod"}, 1, "may not read"},
		{other, []string{"search", "OOMKilled", "--since", "2020-01-01"}, 3, ""},
		{other, []string{"audit"}, 1, "needs the role admin"},
		{admin, []string{"audit", "--action", "denied"}, 0, "bob"},
		{admin, []string{"audit", "--actor", "nobody"}, 3, ""},
	} {
		t.Setenv("LASTNIGHT_TOKEN", c.token)
		code, out, errs := command(t, append(c.args, "--server", server)...)
		if code != c.code || !strings.Contains(out+errs, c.want) || c.token == other && strings.Contains(out, "clickstream") {
			t.Errorf("%v: exit %d, want %d: %s%s", c.args, code, c.code, out, errs)
		}
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server+"/metrics", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+strings.TrimSpace(admin))
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var metrics bytes.Buffer
	if _, err := metrics.ReadFrom(resp.Body); err != nil || !strings.Contains(metrics.String(), "lastnight_denied_total") {
		t.Errorf("%v %.300s", err, metrics.String())
	}
	for _, secret := range []string{strings.TrimSpace(admin), strings.TrimSpace(other), "ln_"} {
		if strings.Contains(metrics.String()+says.String(), secret) {
			t.Error("a token is in the metrics or the log")
		}
	}
}
