package labels

import (
	"context"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"

	"lastnight"
)

const (
	maxKnown = 1 << 20 // template ids that are remembered to have been asked for
	maxHops  = 64      // links that are followed
)

// resolver knows which templates are one. The lock is that of Labels.
type resolver struct {
	known  map[uint64]struct{} // hashes of ids whose link is known, "" too
	links  map[string]string   // what clusterers linked
	cuts   map[string]bool     // ids that were split off: their link does not count
	manual map[string]string   // what people merged: from the end of links to what stands for all
	roots  map[string]bool     // ends of links that take part in a merge
	splits map[string][]lastnight.TemplateMerge
}

func newResolver() resolver {
	return resolver{known: map[uint64]struct{}{}, links: map[string]string{}}
}

func hashOf(id string) uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(id))
	return h.Sum64()
}

// natural follows the links that clusterers made.
func (r *resolver) natural(id string) string {
	for range maxHops {
		next := r.links[id]
		if next == "" || next == id || r.cuts[id] {
			return id
		}
		id = next
	}
	return id
}

// final gives the template that stands for id and all that is one with it.
func (r *resolver) final(id string) string {
	id = r.natural(id)
	if m, ok := r.manual[id]; ok {
		return m
	}
	return id
}

// merge takes in what people merged and split, in the order in which they did.
func (r *resolver) merge(merges []lastnight.TemplateMerge) {
	r.cuts, r.manual, r.roots = map[string]bool{}, map[string]string{}, map[string]bool{}
	r.splits = map[string][]lastnight.TemplateMerge{}
	for i := range merges {
		if m := &merges[i]; m.Kind == lastnight.KindSplit && !m.Undone {
			r.cuts[m.Into] = true
			r.splits[m.From[0]] = append(r.splits[m.From[0]], *m)
		}
	}
	parent := map[string]string{}
	find := func(id string) string {
		for parent[id] != "" {
			id = parent[id]
		}
		return id
	}
	join := func(a, b string) {
		a, b = r.natural(a), r.natural(b)
		r.roots[a], r.roots[b] = true, true
		if a, b = find(a), find(b); a != b {
			parent[a] = b
		}
	}
	for i := range merges {
		switch m := &merges[i]; {
		case m.Kind == lastnight.KindMerge && !m.Undone:
			for _, f := range m.From {
				join(f, m.Into)
			}
		case m.Kind == lastnight.KindSplit && m.Undone && !r.cuts[m.Into]: // what was written in between belongs to the whole again
			join(m.Into, m.From[0])
		}
	}
	for id := range r.roots {
		if to := find(id); to != id {
			r.manual[id] = to
		}
	}
}

// know reads the links of templates that are not known yet, and of those they lead to.
func (l *Labels) know(ctx context.Context, ids []string) error {
	for range maxHops {
		l.mu.RLock()
		var need []string
		for _, id := range ids {
			if _, ok := l.resolver.known[hashOf(id)]; !ok && id != "" {
				need = append(need, id)
			}
		}
		l.mu.RUnlock()
		if len(need) == 0 {
			return nil
		}
		slices.Sort(need)
		need = slices.Compact(need)
		ts, err := l.cfg.Templates.Templates(ctx, need)
		if err != nil {
			return fmt.Errorf("follow templates: %w", err)
		}
		l.mu.Lock()
		if len(l.resolver.known) > maxKnown {
			clear(l.resolver.known)
		}
		for _, id := range need {
			l.resolver.known[hashOf(id)] = struct{}{}
		}
		ids = ids[:0:0]
		for i := range ts {
			if ts[i].Link != "" && l.resolver.links[ts[i].ID] == "" {
				l.resolver.links[ts[i].ID] = ts[i].Link
			}
			if ts[i].Link != "" {
				ids = append(ids, ts[i].Link)
			}
		}
		l.mu.Unlock()
	}
	return nil
}

// TemplatesChanged is told of templates that are new or newly linked, after they were put into
// the store: labels follow. It is quick where no label is concerned.
func (l *Labels) TemplatesChanged(ts []lastnight.Template) {
	l.mu.RLock()
	concerned := slices.ContainsFunc(ts, func(t lastnight.Template) bool { return t.Link != "" && l.resolver.links[t.ID] != t.Link })
	l.mu.RUnlock()
	if !concerned {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	again := false
	moved := map[*entry]struct{}{}
	for i := range ts {
		t := &ts[i]
		if t.Link == "" || l.resolver.links[t.ID] == t.Link {
			continue
		}
		was := l.resolver.natural(t.ID)
		again = again || l.resolver.roots[was]
		for e := range l.index.users[l.resolver.final(t.ID)] {
			moved[e] = struct{}{}
		}
		l.resolver.links[t.ID] = t.Link
	}
	if again {
		l.remerge()
		return
	}
	for e := range moved {
		l.index.remove(e)
		l.enlist(e)
	}
}

// form tells whether a message has the form of a template's text: its words in order, anything
// where it has variables. whole: from the message's beginning to its end; else anywhere in it.
func form(text, message string, whole bool) bool {
	parts := strings.Split(text, lastnight.Wildcard)
	if whole {
		first, last := parts[0], parts[len(parts)-1]
		if len(parts) == 1 {
			return message == text
		}
		if len(message) < len(first)+len(last) || !strings.HasPrefix(message, first) || !strings.HasSuffix(message, last) {
			return false
		}
		message, parts = message[len(first):len(message)-len(last)], parts[1:len(parts)-1]
	}
	for _, p := range parts {
		i := strings.Index(message, p)
		if i < 0 {
			return false
		}
		message = message[i+len(p):]
	}
	return true
}
