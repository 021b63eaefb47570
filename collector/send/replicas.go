package send

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"

	"lastnight"
)

// Several servers are replicas of each other: each takes any line. A stream goes to the one that
// rendezvous hashing gives it (the highest hash of stream and replica), so that what one collector
// decides another would too, and when a replica comes or goes only its own streams move. A replica that
// does not answer is left alone until a connection to it can be made again; its streams go to
// their next choice meanwhile, and back afterwards. No choice is ever wrong, only more or less cheap: a
// server that gets a stream which others had looks up first what they have of it.
//
// Replicas are the addresses given, and where a name has several addresses (a headless Service), each of these.

const (
	tryEvery     = 2 * time.Second  // looks at a replica that is down
	resolveEvery = 20 * time.Second // looks at what a name means now
	probeTimeout = time.Second
	lookTimeout  = 5 * time.Second
	dialTimeout  = 3 * time.Second // of one replica of several; a single one gets 10 s
	maxReplicas  = 256
	maxRefusals  = 3 // answers of "not now" in a row after which another replica is asked
	// maxFollowed bounds the streams of which it is known who had them last; beyond it, that starts anew.
	maxFollowed = 100_000
)

// The headers by which servers know whether they had a stream last.
const (
	replicaHeader = "Lastnight-Replica" // of answers: the process that answers
	followsHeader = "Lastnight-Follows" // of requests: the process that took everything before, of all streams in it
)

// replica is one server.
type replica struct {
	name string // its URL and, if its name has several, its address
	url  string // where requests go
	dial string // host:port to connect to; "": that of url
	http *http.Client

	mu       sync.Mutex // all below
	down     bool
	refusals int
}

// replicas knows the servers there are. It is safe for concurrent use.
type replicas struct {
	urls  []*url.URL
	make  func(name string, u *url.URL, dial string, several bool) *replica
	look  func(ctx context.Context, host string) ([]netip.Addr, error)
	log   *slog.Logger
	proxy func(*http.Request) (*url.URL, error)

	mu     sync.Mutex // all below
	all    []*replica
	looked time.Time
}

// parseServers reads addresses that are separated by commas.
func parseServers(list string) ([]*url.URL, error) {
	var urls []*url.URL
	for s := range strings.SplitSeq(list, ",") {
		u, err := url.Parse(strings.TrimSpace(s))
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			return nil, lastnight.Errorf(lastnight.CodeInvalid, "--server https://lastnight.example.org:7077", "--server: %q is no address of a server", s)
		}
		if len(urls) == maxReplicas {
			return nil, lastnight.Errorf(lastnight.CodeInvalid, "the name of a headless Service stands for all of its pods", "--server: more than %d addresses", maxReplicas)
		}
		urls = append(urls, u)
	}
	return urls, nil
}

// current gives the replicas, and looks names up if nobody did before.
func (r *replicas) current(ctx context.Context) []*replica {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.all == nil {
		r.lookUp(ctx)
	}
	return r.all
}

// lookUp makes the list anew; who is in it already stays as it is. The caller holds r.mu.
func (r *replicas) lookUp(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, lookTimeout)
	defer cancel()
	r.looked = time.Now()
	old := map[string]*replica{}
	for _, p := range r.all {
		old[p.name] = p
	}
	var all []*replica
	add := func(name string, u *url.URL, dial string, several bool) {
		if old[name] == nil {
			old[name] = r.make(name, u, dial, several)
		}
		all = append(all, old[name])
	}
	for _, u := range r.urls {
		addrs, err := r.addresses(ctx, u)
		if err != nil {
			r.log.Warn("a server's name cannot be looked up", "server", u.Host, "err", err)
			kept := false
			for _, p := range r.all { // as it was
				if p.url == postURL(u) {
					all, kept = append(all, p), true
				}
			}
			if kept {
				continue
			}
		}
		if len(addrs) < 2 {
			add(u.String(), u, "", len(r.urls) > 1)
			continue
		}
		for _, a := range addrs[:min(len(addrs), maxReplicas)] {
			dial := net.JoinHostPort(a.String(), cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme]))
			add(u.String()+" at "+a.String(), u, dial, true)
		}
	}
	r.all = all
}

// addresses gives those of a name, of one family: the two of a replica are not two replicas. None: it is
// an address itself, or a proxy looks it up.
func (r *replicas) addresses(ctx context.Context, u *url.URL) ([]netip.Addr, error) {
	host := u.Hostname()
	if _, err := netip.ParseAddr(host); err == nil || host == "localhost" {
		return nil, nil
	}
	if via, err := r.proxy(&http.Request{URL: u}); err != nil || via != nil {
		return nil, err
	}
	addrs, err := r.look(ctx, host)
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", host, err)
	}
	var four, six []netip.Addr
	for _, a := range addrs {
		if a = a.Unmap(); a.Is4() {
			four = append(four, a)
		} else {
			six = append(six, a)
		}
	}
	if len(four) == 0 {
		four = six
	}
	slices.SortFunc(four, netip.Addr.Compare)
	return slices.Compact(four), nil
}

// choose gives the replica for a key: of those that are up, or of all if none is. tried are left out
// as long as there is another; nil if only those are left.
func (r *replicas) choose(ctx context.Context, key lastnight.StreamID, tried map[*replica]bool) *replica {
	var best, fallback *replica
	var score, last uint64
	for _, p := range r.current(ctx) {
		if tried[p] {
			continue
		}
		h := xxhash.Sum64String(p.name + "\x00" + string(key))
		if p.isUp() {
			if best == nil || h > score {
				best, score = p, h
			}
		} else if fallback == nil || h > last {
			fallback, last = p, h
		}
	}
	if best == nil && len(tried) == 0 {
		return fallback
	}
	return best
}

func (p *replica) isUp() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return !p.down
}

// note takes down how a request went.
func (p *replica) note(err error, log *slog.Logger) {
	p.mu.Lock()
	defer p.mu.Unlock()
	u, ok := errors.AsType[*unavailable](err)
	if !ok {
		p.down, p.refusals = false, 0
		return
	}
	if p.refusals++; u.answered && p.refusals < maxRefusals {
		return
	}
	if !p.down {
		log.Info("a server does not take anything; its streams go to others, if there are any", "server", p.name, "err", err)
	}
	p.down = true
}

// tend looks up names and finds out who is back, until ctx is over.
func (r *replicas) tend(ctx context.Context) {
	t := time.NewTicker(tryEvery)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
		}
		r.mu.Lock()
		if time.Since(r.looked) >= resolveEvery {
			r.lookUp(ctx)
		}
		all := r.all
		r.mu.Unlock()
		var wg sync.WaitGroup
		for _, p := range all {
			if len(all) > 1 && !p.isUp() {
				wg.Go(func() { r.probe(ctx, p) })
			}
		}
		wg.Wait()
	}
}

// probe asks a replica that is down whether it is ready.
func (r *replicas) probe(ctx context.Context, p *replica) {
	ctx, cancel := context.WithTimeout(ctx, probeTimeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(p.url, postPath)+"/healthz", nil)
	if err != nil {
		return
	}
	resp, err := p.http.Do(req)
	if err != nil {
		return // still away
	}
	_ = resp.Body.Close()
	if resp.StatusCode >= http.StatusInternalServerError {
		return
	}
	p.note(nil, r.log)
	r.log.Info("a server answers again", "server", p.name)
}

// counts tells how many replicas there are and how many of them are down.
func (r *replicas) counts() (all, down int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.all {
		all++
		if !p.isUp() {
			down++
		}
	}
	return all, down
}

// followed knows which process took a stream last. It is safe for concurrent use.
type followed struct {
	mu   sync.Mutex
	last map[lastnight.StreamID]string // guarded by mu
}

// leave gives the process that took all of the streams last, "" if there is no such process or nothing is known of
// one. From then on nothing is known of them, until join.
func (f *followed) leave(streams []lastnight.StreamID) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(streams) == 0 {
		return ""
	}
	who := f.last[streams[0]]
	for _, s := range streams {
		if f.last[s] != who {
			who = ""
		}
		delete(f.last, s)
	}
	return who
}

// join notes that a process took streams.
func (f *followed) join(streams []lastnight.StreamID, who string) {
	if who == "" {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.last == nil || len(f.last)+len(streams) > maxFollowed {
		f.last = map[lastnight.StreamID]string{}
	}
	for _, s := range streams {
		f.last[s] = who
	}
}
