package indexer

import (
	"strings"
	"sync"
	"sync/atomic"

	"lastnight"
	"lastnight/clusterer"
)

// followed is what people's labels ask of the clusterers: templates that must not be forgotten, and
// parts that were split off templates by hand. It is safe for concurrent use.
type followed struct {
	mu     sync.RWMutex // all but splits
	pins   []string     // in the order in which they came; a shard remembers how far it got
	pinned map[string]struct{}
	splits atomic.Pointer[map[string][]lastnight.TemplateMerge] // by the template that is split; nil or empty: none
}

// Pin keeps templates from being forgotten by the clusterers, from the next batch on. Unknown ids
// are pinned when they appear.
func (x *Indexer) Pin(ids []string) {
	f := &x.followed
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.pinned == nil {
		f.pinned = map[string]struct{}{}
	}
	for _, id := range ids {
		if _, ok := f.pinned[id]; !ok {
			f.pinned[id] = struct{}{}
			f.pins = append(f.pins, id)
		}
	}
}

// Split gives records of the template From whose message has the form of Text to the template
// Into from now on. It replaces what an earlier call said.
func (x *Indexer) Split(splits []lastnight.TemplateMerge) {
	m := make(map[string][]lastnight.TemplateMerge, len(splits))
	for _, s := range splits {
		for _, id := range s.From {
			m[id] = append(m[id], s)
		}
	}
	x.followed.splits.Store(&m)
}

// pin pins in a shard what came since it was asked last. c belongs to the caller.
func (f *followed) pin(sh *shard, c *clusterer.Clusterer) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	for _, id := range f.pins[sh.pins:] {
		c.Pin(id)
	}
	sh.pins = len(f.pins)
}

// appeared pins a template that is new to its shard, if it has a label.
func (f *followed) appeared(c *clusterer.Clusterer, id string) {
	f.mu.RLock()
	_, ok := f.pinned[id]
	f.mu.RUnlock()
	if ok {
		c.Pin(id)
	}
}

// part gives the template that a message of a template belongs to, after people split it.
func (f *followed) part(id string, message []byte) string {
	splits := f.splits.Load()
	if splits == nil || len(*splits) == 0 {
		return id
	}
	for i := range (*splits)[id] {
		if s := &(*splits)[id][i]; hasForm(s.Text, string(message)) {
			return s.Into
		}
	}
	return id
}

// hasForm tells whether a message is a template's text with something in place of its variables.
func hasForm(text, message string) bool {
	parts := strings.Split(text, lastnight.Wildcard)
	first, last := parts[0], parts[len(parts)-1]
	if len(parts) == 1 {
		return message == text
	}
	if len(message) < len(first)+len(last) || !strings.HasPrefix(message, first) || !strings.HasSuffix(message, last) {
		return false
	}
	message = message[len(first) : len(message)-len(last)]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(message, p)
		if i < 0 {
			return false
		}
		message = message[i+len(p):]
	}
	return true
}
