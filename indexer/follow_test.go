package indexer

import (
	"testing"

	"lastnight"
	"lastnight/clusterer"
)

func TestSplitTakesEffect(t *testing.T) {
	x := &Indexer{}
	if got := x.followed.part("g", []byte("disk sda is full")); got != "g" {
		t.Errorf("without splits: %s", got)
	}
	x.Split([]lastnight.TemplateMerge{{From: []string{"g"}, Into: "p", Text: "disk sda is <*>"}})
	for message, want := range map[string]string{
		"disk sda is full": "p", "disk sda is ": "p", "disk sdb is full": "g", "a disk sda is full": "g", "disk sda": "g",
	} {
		if got := x.followed.part("g", []byte(message)); got != want {
			t.Errorf("%q belongs to %s, want %s", message, got, want)
		}
	}
	if got := x.followed.part("other", []byte("disk sda is full")); got != "other" {
		t.Errorf("another template: %s", got)
	}
	x.Split(nil)
	if got := x.followed.part("g", []byte("disk sda is full")); got != "g" {
		t.Errorf("after the split was undone: %s", got)
	}
}

// TestLabeledTemplatesAreNotForgotten floods a small clusterer: what is pinned stays, also where it
// was pinned before it appeared.
func TestLabeledTemplatesAreNotForgotten(t *testing.T) {
	c := clusterer.New(clusterer.Config{MaxTemplates: 16})
	early := c.Add([]byte("metadata service lost its lease"), nil, nil).ID
	late := clusterer.New(clusterer.Config{}).Add([]byte("gateway refused the handshake"), nil, nil).ID
	x, sh := &Indexer{}, &shard{}
	x.Pin([]string{early, late})
	x.followed.pin(sh, c)
	c.Add([]byte("gateway refused the handshake"), nil, nil)
	x.followed.appeared(c, late)
	words := []string{"alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta", "theta", "iota", "kappa"}
	for _, a := range words {
		for _, b := range words {
			for _, z := range words {
				c.Add([]byte(a+" "+b+" "+z+" happened"), nil, nil)
			}
		}
	}
	if c.Stats().Evicted == 0 {
		t.Fatal("nothing was forgotten: the test says nothing")
	}
	for _, id := range []string{early, late} {
		if _, ok := c.Template(id); !ok {
			t.Errorf("template %s was forgotten although it has a label", id)
		}
	}
	x.Pin([]string{early}) // again
	if n := len(x.followed.pins); n != 2 {
		t.Errorf("%d pins, want 2", n)
	}
}
