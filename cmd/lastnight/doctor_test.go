package main

import (
	"encoding/pem"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The doctor tells whether the server is there, trusted, ready, on time, and takes collect's token.
func TestDoctorServer(t *testing.T) {
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	right := file("right", "a-token-of-some-length-for-this-test\n")
	wrong := file("wrong", "another-token-of-some-length-for-it\n")
	n, err := openNode(t.Context(), nodeConfig{dir: t.TempDir(), create: true, log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = n.Close(t.Context()) }()
	in, err := (&ingestFlags{token: right}).open(n, nil)
	if err != nil {
		t.Fatal(err)
	}
	ready, off := http.StatusOK, time.Duration(0)
	leases := http.StatusOK
	srv := httptest.NewTLSServer(withIngest(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Date", time.Now().Add(off).UTC().Format(http.TimeFormat))
		if r.URL.Path == "/api/v1/leases" {
			w.WriteHeader(leases)
			_, _ = io.WriteString(w, `{"items":[{"duty":"archive","holder":"server-1"},{"duty":"incidents","holder":""}]}`)
			return
		}
		w.WriteHeader(ready)
	}), in))
	defer srv.Close()
	ca := file("ca.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})))
	state := func(check string, args ...string) string {
		t.Helper()
		found, _ := examined(t, append([]string{"--kube", "off", "--server", srv.URL}, args...)...)
		var all []string
		for _, f := range found[check] {
			all = append(all, f.State)
		}
		return strings.Join(all, " ")
	}
	for _, c := range []struct {
		check, want string
		args        []string
	}{
		{"server", "ok", []string{"--ca-file", ca}},
		{"server", "broken", nil}, // an authority that is not known
		{"server", "broken", []string{"--ca-file", right}},
		{"server", "ok broken", []string{"--ca-file", ca, "--server", srv.URL + ",https://127.0.0.1:1"}},
		{"clock", "ok", []string{"--ca-file", ca}},
		{"leases", "ok warning", []string{"--ca-file", ca}},
		{"token", "ok", []string{"--ca-file", ca, "--token-file", right}},
		{"token", "broken", []string{"--ca-file", ca, "--token-file", wrong}},
		{"token", "broken", []string{"--ca-file", ca, "--token-file", filepath.Join(dir, "none")}},
		{"checkpoint", "ok", []string{"--checkpoint", filepath.Join(dir, "checkpoint")}},
		{"checkpoint", "broken", []string{"--checkpoint", filepath.Join(right, "below")}},
	} {
		if got := state(c.check, c.args...); got != c.want {
			t.Errorf("%s with %v: %q, want %q", c.check, c.args, got, c.want)
		}
	}
	for status, want := range map[int]string{http.StatusNotFound: "", http.StatusForbidden: findingSkipped, http.StatusServiceUnavailable: findingBroken} {
		leases = status
		if got := state("leases", "--ca-file", ca); got != want {
			t.Errorf("leases that are answered with %d: %q, want %q", status, got, want)
		}
	}
	off = -time.Hour
	if got := state("clock", "--ca-file", ca); got != "broken" {
		t.Errorf("a server whose clock is off: %q", got)
	}
	ready = http.StatusServiceUnavailable
	if got := state("server", "--ca-file", ca); got != "broken" {
		t.Errorf("a server that is not ready: %q", got)
	}
}
