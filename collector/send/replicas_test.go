package send_test

import (
	"context"
	"encoding/pem"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"lastnight"
	"lastnight/collector/checkpoint"
	"lastnight/collector/send"
	"lastnight/internal/vfs"
)

const pods = 60

// sent sends one span of each pod, at its own offset.
func sent(t *testing.T, s *send.Sender, round int) {
	t.Helper()
	var b lastnight.Batch
	for i := range pods {
		b.Spans = append(b.Spans, spanOf(fmt.Sprint("pod-", i), int64(round)*1000, 2, 50))
	}
	if err := s.Ingest(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

// takePods gives what each server got since the last call.
func takePods(servers []*server) []map[string]int {
	var out []map[string]int
	for _, s := range servers {
		s.sink.mu.Lock()
		out = append(out, s.sink.pods)
		s.sink.pods = nil
		s.sink.mu.Unlock()
	}
	return out
}

func (s *sink) strayed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := s.strays
	s.strays = 0
	return n
}

// TestReplicas: a stream stays with its server; when that dies only its streams move, and they come back with it.
// A server is told whether it had the streams last.
func TestReplicas(t *testing.T) {
	var servers []*server
	var urls []string
	for i := range 3 {
		s := unstarted(t, fmt.Sprint("process-", i))
		s.Start()
		servers, urls = append(servers, s), append(urls, s.URL)
	}
	p := newParts(t, vfs.NewMem(), strings.Join(urls, ","), 1<<20)
	p.run(t)
	sent(t, p.sender, 0)
	before := takePods(servers)
	for i, got := range before {
		if len(got) < pods/6 {
			t.Errorf("server %d has %d of %d streams", i, len(got), pods)
		}
		if servers[i].sink.strayed() == 0 {
			t.Errorf("server %d was not told to look what others have of streams that it never had", i)
		}
	}
	sent(t, p.sender, 1)
	if again := takePods(servers); fmt.Sprint(again) != fmt.Sprint(before) {
		t.Errorf("streams moved: %v, then %v", before, again)
	}
	for i, s := range servers {
		if s.sink.strayed() > 0 {
			t.Errorf("server %d was told to look what others have of streams that it had last", i)
		}
	}
	servers[0].status.Store(503) // patience is short here; after three in a row it is not asked any more
	sent(t, p.sender, 2)
	sent(t, p.sender, 3)
	servers[0].CloseClientConnections()
	moved := takePods(servers)
	for i := 1; i < 3; i++ {
		for pod := range before[i] {
			if moved[i][pod] == 0 {
				t.Errorf("%s left server %d, which lives", pod, i)
			}
		}
	}
	if lines, _ := servers[0].sink.count(); lines != 2*2*len(before[0]) {
		t.Errorf("server 0 has %d lines", lines)
	}
	if n := servers[1].sink.strayed() + servers[2].sink.strayed(); n == 0 {
		t.Error("nobody was told of the streams that moved")
	}
	if st := p.sender.Stats(); st.Down != 1 || st.Replicas != 3 || st.Away || st.SpoolFrames > 0 {
		t.Errorf("%+v", st)
	}
	servers[0].status.Store(0)
	eventually(t, "the server to be found again", func() bool { return p.sender.Stats().Down == 0 })
	sent(t, p.sender, 4)
	if back := takePods(servers); !maps.Equal(back[0], before[0]) {
		t.Errorf("server 0 has %v, had %v", back[0], before[0])
	}
	if servers[0].sink.strayed() == 0 {
		t.Error("who came back was not told that others had its streams meanwhile")
	}
	total, twice := 0, 0
	for _, s := range servers {
		n, two := s.sink.count()
		total, twice = total+n, twice+two
	}
	if total != 5*2*pods || twice > 0 {
		t.Errorf("%d lines, %d of them twice; want %d", total, twice, 5*2*pods)
	}
}

// TestReplicasOfOneName: every address of a name is a server of its own, its certificate that of the name.
func TestReplicasOfOneName(t *testing.T) {
	var servers []*server
	port := ""
	for _, ip := range []string{"127.0.0.1", "127.0.0.2", "127.0.0.3"} {
		s := unstarted(t, "process "+ip)
		l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", net.JoinHostPort(ip, port))
		if port != "" && err != nil {
			t.Skipf("no second loopback address with the same port: %v", err)
		}
		if err != nil {
			t.Fatal(err)
		}
		_, port, _ = net.SplitHostPort(l.Addr().String())
		_ = s.Listener.Close()
		s.Listener = l
		s.StartTLS()
		servers = append(servers, s)
	}
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: servers[0].Certificate().Raw}), 0o600); err != nil {
		t.Fatal(err)
	}
	addrs := []netip.Addr{netip.MustParseAddr("127.0.0.1"), netip.MustParseAddr("127.0.0.2"), netip.MustParseAddr("127.0.0.3"), netip.MustParseAddr("::1")}
	u := url.URL{Scheme: "https", Host: net.JoinHostPort("example.com", port)}
	client, err := send.NewClient(send.ClientConfig{URL: u.String(), CAFile: ca, Agent: "test", Look: func(_ context.Context, host string) ([]netip.Addr, error) {
		if host != "example.com" {
			t.Errorf("looks up %s", host)
		}
		return addrs, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	check, err := checkpoint.Open(vfs.NewMem(), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	s := send.New(send.Config{Client: client, Checkpoint: check, Patience: 5 * time.Second})
	sent(t, s, 0)
	first := takePods(servers)
	for i, got := range first {
		if len(got) < pods/6 {
			t.Errorf("server %d has %d of %d streams", i, len(got), pods)
		}
	}
	servers[1].Close() // as a killed pod: nobody listens there any more
	sent(t, s, 1)
	second := takePods(servers)
	if len(second[0])+len(second[2]) != pods {
		t.Errorf("%d and %d of %d streams", len(second[0]), len(second[2]), pods)
	}
	for pod := range first[0] {
		if second[0][pod] == 0 {
			t.Errorf("%s left a server that lives", pod)
		}
	}
}
