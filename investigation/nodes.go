package investigation

import (
	"context"
	"fmt"
	"slices"
	"time"

	"lastnight"
)

// nodeHistory has what happened to the nodes that the workload's pods were on.
type nodeHistory struct {
	byNode map[string][]fact // in time order
}

// loadNodes reads the events of the nodes.
func (x *investigator) loadNodes(ctx context.Context, tl *timeline, from, to time.Time) (*nodeHistory, error) {
	h := &nodeHistory{byNode: map[string][]fact{}}
	var names []string
	tl.each(func(p *podInfo) {
		if p.node != "" && !slices.Contains(names, p.node) {
			names = append(names, p.node)
		}
	})
	slices.Sort(names)
	for _, n := range names {
		docs, err := collect(x.source.Search(ctx, lastnight.SearchRequest{
			Important: true, Node: n, Kinds: []lastnight.DocumentKind{lastnight.DocumentEvent}, Query: "kind:Node", Start: from, End: to, Oldest: true, Limit: maxDocuments,
		}))
		if err != nil {
			return nil, fmt.Errorf("read events of node %s: %w", n, err)
		}
		for i := range docs {
			if e := docs[i].Event; e != nil && e.Object.Kind == "Node" && e.Object.Name == n {
				h.byNode[n] = append(h.byNode[n], fact{doc: &docs[i], t: docs[i].Time, reason: e.Reason, exit: -1})
			}
		}
	}
	return h, nil
}

// last gives the newest fact of a node in [from, to] whose reason is one of those, unless one of the others undid it since.
func (h *nodeHistory) last(node string, from, to time.Time, reasons, undone []string) *fact {
	var found *fact
	for i := range h.byNode[node] {
		f := &h.byNode[node][i]
		if f.t.Before(from) || f.t.After(to) {
			continue
		}
		switch {
		case slices.Contains(reasons, f.reason):
			if found == nil {
				found = f
			}
		case slices.Contains(undone, f.reason):
			found = nil
		}
	}
	return found
}

var cordonReasons = []string{"NodeNotSchedulable", "Cordoned"}

func (h *nodeHistory) cordoned(node string, from, to time.Time) *fact {
	return h.last(node, from, to, cordonReasons, []string{"NodeSchedulable", "Uncordoned"})
}

// hiccup is how soon a node is ready again whose kubelet was only restarted: nobody takes its pods away for that.
const hiccup = 30 * time.Second

// notReady gives the first time in [from, to] at which a node was not ready, and did not soon become so.
func (h *nodeHistory) notReady(node string, from, to time.Time) *fact {
	facts := h.byNode[node]
	for i := range facts {
		f := &facts[i]
		if f.t.Before(from) || f.t.After(to) || f.reason != "NodeNotReady" && f.reason != "NodeUnknown" {
			continue
		}
		soon := slices.ContainsFunc(facts[i:], func(o fact) bool { return o.reason == "NodeReady" && o.t.Sub(f.t) < hiccup })
		if !soon {
			return f
		}
	}
	return nil
}
