// Package s3 starts a real S3 server for tests: versitygw, built from its Go module into
// the user's cache folder, once (it is no dependency of this module: go install fetches it
// with its own). It keeps buckets as folders of a temporary directory.
//
//	func TestSomething(t *testing.T) {
//		url := s3.Start(t).Bucket(t, "archive") // skips, and says why, where it cannot be built
//		b, err := blob.OpenBucket(ctx, url)
//
// The server ends with the test. If a test is killed the server stays: it is bound to
// 127.0.0.1 and holds test data only.
package s3

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"
)

const (
	module  = "github.com/versity/versitygw/cmd/versitygw"
	version = "v1.8.0"
	access  = "lastnight-test"
	secret  = "lastnight-test-secret" // of a server of this test alone
)

// Server is a running server. Its methods are for one goroutine at a time.
type Server struct {
	Endpoint string // http://127.0.0.1:PORT
	dir      string
	binary   string
	address  string
	cmd      *exec.Cmd
}

// Start starts a server that ends with the test, and sets the credentials of the AWS SDK in
// the environment of the test. It skips the test, with the reason, where the server cannot be built.
func Start(t *testing.T) *Server {
	t.Helper()
	if os.Getenv("LASTNIGHT_TEST_SERVERS") == "off" {
		t.Skip("no S3 server: LASTNIGHT_TEST_SERVERS is off")
	}
	binary, err := build(t.Context())
	if err != nil {
		t.Skip("no S3 server: " + err.Error())
	}
	t.Setenv("AWS_ACCESS_KEY_ID", access)
	t.Setenv("AWS_SECRET_ACCESS_KEY", secret)
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &Server{dir: t.TempDir(), binary: binary, address: l.Addr().String()}
	s.Endpoint = "http://" + s.address
	_ = l.Close()
	if err := s.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Kill(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// Restart starts the server, again after Kill: with the same address and buckets.
func (s *Server) Restart(ctx context.Context) error {
	log, err := os.OpenFile(filepath.Join(s.dir, "server.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("start S3 server: %w", err)
	}
	defer func() { _ = log.Close() }() // the process has its own
	data, meta := filepath.Join(s.dir, "buckets"), filepath.Join(s.dir, "metadata")
	if err := errors.Join(os.MkdirAll(data, 0o750), os.MkdirAll(meta, 0o750)); err != nil {
		return fmt.Errorf("start S3 server: %w", err)
	}
	s.cmd = exec.CommandContext(context.WithoutCancel(ctx), s.binary, "--access", access, "--secret", secret, "--port", s.address, "--quiet", "posix", "--sidecar", meta, data) //nolint:gosec // our own binary
	s.cmd.Stdout, s.cmd.Stderr = log, log
	if err := s.cmd.Start(); err != nil {
		return fmt.Errorf("start S3 server: %w", err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", s.address)
		if err == nil {
			return conn.Close()
		}
		if time.Now().After(deadline) {
			words, _ := os.ReadFile(log.Name())
			return errors.Join(fmt.Errorf("start S3 server: %w\n%s", err, words), s.Kill())
		}
	}
}

// Kill ends the server at once.
func (s *Server) Kill() error {
	if err := s.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill S3 server: %w", err)
	}
	_ = s.cmd.Wait() // it was killed, and says so
	return nil
}

// Bucket makes a bucket and gives its URL for gocloud.dev/blob.
func (s *Server) Bucket(t testing.TB, name string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(s.dir, "buckets", name), 0o750); err != nil {
		t.Fatal(err)
	}
	return "s3://" + name + "?" + url.Values{"endpoint": {s.Endpoint}, "region": {"us-east-1"}, "use_path_style": {"true"}}.Encode()
}

// build gives the path of the server's binary, built once per machine and version.
func build(ctx context.Context) (string, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	dir := filepath.Join(cache, "lastnight-testenv", "versitygw-"+version)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return "", err
	}
	lock, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", err
	}
	defer func() { _ = lock.Close() }()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", err
	}
	binary := filepath.Join(dir, "versitygw")
	if _, err := os.Stat(binary); err == nil {
		return binary, nil
	}
	cmd := exec.CommandContext(ctx, "go", "install", module+"@"+version)
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=")
	cmd.Dir = dir // outside this module: its versions are not ours
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go install %s@%s: %w: %.300s", module, version, err, out)
	}
	return binary, nil
}
