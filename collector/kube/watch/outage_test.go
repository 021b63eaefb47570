package watch_test

import (
	"testing"
	"time"

	"lastnight/collector/kube/watch"
	"lastnight/internal/testenv/kube"
)

// While the watcher is cut off, things happen, the API server restarts and forgets all
// history (410 Gone): everything that a list still has is told, once.
func TestOutageAndExpiry(t *testing.T) {
	c := kube.Start(t)
	w := newWorld(t, c)
	s := newSink(t)
	access, p := through(t, c.Config())
	watcher, _ := run(t, watch.Config{REST: access, Ingester: s, Node: "node-a"})
	w.node("node-a", true)
	stays, goes := w.pod("stays", "node-a"), w.pod("goes", "node-a")
	w.status(stays, 0, "containerd://stays-0", running())
	w.status(goes, 0, "containerd://goes-0", running())
	w.event("before", "stays", "Before")
	s.await("stays", "Before", 1, patience)
	s.await("goes", "Running", 2, patience)
	s.await("stays", "Running", 2, patience)

	p.set(true)
	w.status(stays, 0, "containerd://stays-0", oomKilled("containerd://stays-0"))
	w.status(goes, 0, "containerd://goes-0", oomKilled("containerd://goes-0"))
	w.remove(goes)
	w.event("during", "stays", "During")
	w.ready("node-a", false)
	time.Sleep(2 * time.Second)
	if found := s.find("stays", "During"); len(found) > 0 {
		t.Fatal("the watcher is not cut off")
	}
	c.StopAPI()
	c.Compact()
	c.StartAPI()
	p.set(false)

	s.await("stays", "During", 1, patience)
	s.await("stays", "OOMKilled", 1, patience)
	s.await("goes", "Removed", 1, patience)
	s.await("node-a", "NodeNotReady", 1, patience)

	w.event("after", "stays", "After") // and the watch goes on
	s.await("stays", "After", 1, patience)
	for _, once := range []string{"Before", "During", "OOMKilled"} {
		s.await("stays", once, 1, 0)
	}
	for _, kind := range []string{"pods", "events", "nodes"} { // it was counted, and the lists that filled the gap
		if k := watcher.Stats().Kinds[kind]; k.Expired == 0 || k.Lists < 2 || k.Failures == 0 || k.Objects == 0 || time.Since(k.Heard) > time.Minute {
			t.Errorf("%s: %+v", kind, k)
		}
	}
}

// The API server dies and comes back while nothing cuts the watcher off.
func TestRestart(t *testing.T) {
	c := kube.Start(t)
	w := newWorld(t, c)
	s := newSink(t)
	run(t, watch.Config{REST: c.Config(), Ingester: s, Node: "node-a"})
	pod := w.pod("api-0", "node-a")
	w.status(pod, 0, "containerd://0", running())
	s.await("api-0", "Running", 2, patience)
	for i, reason := range []string{"First", "Second"} {
		c.StopAPI()
		time.Sleep(time.Duration(i) * 2 * time.Second)
		c.StartAPI()
		w.event(reason, "api-0", reason)
		s.await("api-0", reason, 1, patience)
	}
	w.status(pod, 0, "containerd://0", oomKilled("containerd://0"))
	s.await("api-0", "OOMKilled", 1, patience)
	s.await("api-0", "First", 1, 0)
}

// The leader loses its connection; the other one takes over. What happened in between is told.
func TestHandOver(t *testing.T) {
	c := kube.Start(t)
	w := newWorld(t, c)
	s := newSink(t)
	cfg := watch.Config{Ingester: s, LeaseNamespace: namespace}
	access, cut := through(t, c.Config())
	one, two := cfg, cfg
	one.REST, one.Node, one.Identity = access, "node-a", "one"
	two.REST, two.Node, two.Identity = c.Config(), "node-b", "two"
	first, _ := run(t, one)
	w.node("node-c", false)
	w.event("a", "api-0", "ByTheFirst")
	s.await("api-0", "ByTheFirst", 1, patience)
	if !first.Stats().Leading {
		t.Fatal("the only one does not lead")
	}
	second, stopSecond := run(t, two)
	time.Sleep(3 * time.Second)
	if second.Stats().Leading {
		t.Fatal("two lead")
	}
	cut.set(true)
	w.event("b", "api-0", "InBetween")
	w.ready("node-c", true)
	begin := time.Now()
	s.await("api-0", "InBetween", 1, patience)
	s.await("node-c", "NodeReady", 1, patience)
	t.Logf("handed over after %v", time.Since(begin).Round(time.Second))
	if !second.Stats().Leading {
		t.Error("who told it does not lead")
	}
	for end := time.Now().Add(patience); first.Stats().Leading; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("who was cut off still thinks that it leads")
		}
	}
	cut.set(false)
	stopSecond() // gives the lease back: the first one leads again, and tells nothing twice
	begin = time.Now()
	w.event("c", "api-0", "ByTheFirstAgain")
	s.await("api-0", "ByTheFirstAgain", 1, patience)
	t.Logf("handed back after %v", time.Since(begin).Round(100*time.Millisecond))
	s.await("api-0", "ByTheFirst", 1, 0)
	s.await("api-0", "InBetween", 1, 0)
}
