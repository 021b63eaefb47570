// Package elasticsearch starts a real Elasticsearch node for tests, with nothing but a
// JDK (17 or later) and Maven (3.8 or later): the server comes as jars from Maven Central.
//
//	func TestSomething(t *testing.T) {
//		node := elasticsearch.Start(t) // skips, and says why, where there is no JDK or Maven
//		… node.URL …
//	}
//
// The first start on a machine downloads about 80 MB into the user's cache folder and
// compiles a main class of 40 lines; later ones take some ten seconds. A node has a heap
// of 512 MB, random ports on 127.0.0.1 and a data folder of its own. It ends with the test,
// and by itself when the test's process is gone.
//
// It is the bare server: no scripts (painless), update or delete by query, data streams,
// lifecycle management, security, nor the field types that come as modules (wildcard,
// match_only_text, constant_keyword, …), and no answer to GET /. What must run on it and
// on a full cluster does without them.
package elasticsearch

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"lastnight/internal/testenv/usage"
)

const startTimeout = 4 * time.Minute // of a machine that is busy with other tests

// What Java is told: a node of tests starts quickly and is small, a large one is what production
// would begin with.
var (
	small = []string{"-Xms512m", "-Xmx512m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-XX:MaxDirectMemorySize=128m"}
	large = []string{"-Xms1g", "-Xmx1g", "-XX:MaxDirectMemorySize=512m"}
)

// Node is a running node. Its methods are for one goroutine at a time.
type Node struct {
	URL string // http://127.0.0.1:PORT, the same after Restart
	Dir string // its data; node.log in it is what it said

	home, port, transport string
	java                  []string // its memory and compilers
	cmd                   *exec.Cmd
	stdin                 io.Closer
	ended                 chan struct{} // closed when the process is gone
}

// Start starts a node that ends with the test. It skips the test, with the reason, where
// no node can be had, and fails it where one does not start.
func Start(t testing.TB) *Node {
	t.Helper()
	return start(t, small)
}

// StartLarge is Start with a heap of 1 GB and all of Java's compilers: for benchmarks.
func StartLarge(t testing.TB) *Node {
	t.Helper()
	return start(t, large)
}

func start(t testing.TB, java []string) *Node {
	t.Helper()
	if reason := Missing(); reason != "" {
		t.Skip("no Elasticsearch node: " + reason)
	}
	n, err := open(t.Context(), t.TempDir(), java)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// Missing tells what a node would need and is not there, "" if nothing. Tests that are run
// together with many others are spared it by LASTNIGHT_TEST_SERVERS=off.
func Missing() string {
	if os.Getenv("LASTNIGHT_TEST_SERVERS") == "off" {
		return "LASTNIGHT_TEST_SERVERS is off"
	}
	for _, tool := range []string{"java", "javac", "mvn"} {
		if _, err := exec.LookPath(tool); err != nil {
			return "no " + tool + " in PATH; a JDK 17 and Maven 3.8 or later are needed"
		}
	}
	return ""
}

// Open starts a node with its data in dir and returns when it answers. The first one of a
// machine downloads its jars.
func Open(ctx context.Context, dir string) (*Node, error) { return open(ctx, dir, small) }

func open(ctx context.Context, dir string, java []string) (*Node, error) {
	home, err := prepare(ctx)
	if err != nil {
		return nil, fmt.Errorf("prepare Elasticsearch: %w", err)
	}
	ports, err := freePorts(ctx, 2)
	if err != nil {
		return nil, err
	}
	n := &Node{URL: "http://127.0.0.1:" + ports[0], Dir: dir, home: home, port: ports[0], transport: ports[1], java: java}
	return n, n.start(ctx)
}

func freePorts(ctx context.Context, count int) ([]string, error) {
	var ports []string
	for range count {
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", "127.0.0.1:0")
		if err != nil {
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer func() { _ = l.Close() }() // all are held until all are known, so that they differ
		ports = append(ports, strconv.Itoa(l.Addr().(*net.TCPAddr).Port))
	}
	return ports, nil
}

func (n *Node) start(ctx context.Context) error {
	log, err := os.OpenFile(n.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("start Elasticsearch: %w", err)
	}
	defer func() { _ = log.Close() }() // the process has its own
	data := filepath.Join(n.Dir, "data")
	// The process outlives ctx, which may be that of one test: Close ends it.
	args := append(slices.Clone(n.java), "-Des.path.home="+n.home, "-Djava.io.tmpdir="+os.TempDir(),
		"--add-exports", "org.elasticsearch.nativeaccess/org.elasticsearch.nativeaccess=ALL-UNNAMED",
		"--add-modules=org.elasticsearch.server,ALL-MODULE-PATH", "--module-path", filepath.Join(n.home, "lib"),
		"-cp", filepath.Join(n.home, "classes"), "TestNode", n.home, data, n.port, n.transport)
	cmd := exec.CommandContext(context.WithoutCancel(ctx), "java", args...) //nolint:gosec // our own arguments
	cmd.Stdout, cmd.Stderr = log, log
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return fmt.Errorf("start Elasticsearch: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start Elasticsearch: %w", err)
	}
	ended := make(chan struct{})
	n.cmd, n.stdin, n.ended = cmd, stdin, ended
	go func() {
		_ = cmd.Wait() // how it ended is in its log
		close(ended)
	}()
	if err := n.ready(ctx); err != nil {
		return errors.Join(err, n.Kill())
	}
	return nil
}

// ready waits until the cluster is yellow or green.
func (n *Node) ready(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	for {
		if n.healthy(ctx) {
			return nil
		}
		select {
		case <-n.ended:
			return fmt.Errorf("start Elasticsearch: the process ended; its last words:\n%s", n.lastWords())
		case <-ctx.Done():
			return fmt.Errorf("start Elasticsearch: no answer within %s: %w; its last words:\n%s", startTimeout, ctx.Err(), n.lastWords())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (n *Node) healthy(ctx context.Context) bool {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, n.URL+"/_cluster/health?wait_for_status=yellow&timeout=1s", nil)
	if err != nil {
		return false
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return false
	}
	_ = resp.Body.Close()
	return resp.StatusCode == http.StatusOK
}

func (n *Node) logFile() string { return filepath.Join(n.Dir, "node.log") }

func (n *Node) lastWords() []byte {
	b, err := os.ReadFile(n.logFile())
	if err != nil {
		return nil
	}
	b = b[max(0, len(b)-4000):]
	return bytes.TrimSpace(b)
}

// PID is the number of the node's process.
func (n *Node) PID() int { return n.cmd.Process.Pid }

// CPU is what the node's process has used so far, user and system; 0 where that cannot be read.
func (n *Node) CPU() time.Duration { return usage.CPU(n.PID()) }

// Kill ends the node at once, as kill -9 does, and returns when it is gone.
func (n *Node) Kill() error {
	if err := n.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("kill Elasticsearch: %w", err)
	}
	<-n.ended
	return nil
}

// Restart starts the node again on the same port and data, after Kill.
func (n *Node) Restart(ctx context.Context) error { return n.start(ctx) }

// Close ends the node. What it kept is the test's to remove.
func (n *Node) Close() error {
	_ = n.stdin.Close()
	select {
	case <-n.ended:
		return nil
	case <-time.After(20 * time.Second):
		return n.Kill()
	}
}

// Shared is one node for all tests of a package, started by the first that asks:
//
//	var shared elasticsearch.Shared
//
//	func TestMain(m *testing.M) { os.Exit(shared.Main(m)) }
type Shared struct {
	once sync.Once
	node *Node
	dir  string
	err  error
}

// Main runs the tests and ends the node. It gives the code to exit with.
func (s *Shared) Main(m *testing.M) int {
	code := m.Run()
	if s.node != nil {
		_ = s.node.Close()
	}
	if s.dir != "" {
		_ = os.RemoveAll(s.dir)
	}
	return code
}

// Node gives the node. It skips or fails the test as Start does.
func (s *Shared) Node(t testing.TB) *Node {
	t.Helper()
	if reason := Missing(); reason != "" {
		t.Skip("no Elasticsearch node: " + reason)
	}
	s.once.Do(func() {
		if s.dir, s.err = os.MkdirTemp("", "lastnight-elasticsearch-"); s.err == nil {
			s.node, s.err = Open(context.WithoutCancel(t.Context()), s.dir)
		}
	})
	if s.err != nil {
		t.Fatal(s.err)
	}
	return s.node
}
