package labels

import (
	"slices"
	"strconv"
	"strings"

	"lastnight"
)

// How much a part of a target says. The sum decides which label is the most specific one.
const (
	weighTemplate  = 8
	weighException = 4
	weighReason    = 2
	weighExit      = 2
	weighJob       = 2
	weighNamespace = 1
	weighLayer     = 1
)

// rule is a label as it explains. Immutable once made.
type rule struct {
	label    *lastnight.Label
	approved bool
	weight   int
	parts    []string // features that an incident must have, all of them; templates followed
	buckets  []string // of the index, where it lies
}

// before orders rules: who comes first explains, if both match. exact says that an incident has
// the labeled template itself, not one that it was linked with.
func (r *rule) before(exact bool, o *rule, oExact bool) bool {
	switch {
	case r.approved != o.approved:
		return r.approved
	case r.weight != o.weight:
		return r.weight > o.weight
	case exact != oExact:
		return exact
	}
	return r.label.ID < o.label.ID
}

// ref names the rule's label in a diagnosis.
func (r *rule) ref() lastnight.LabelRef {
	state := lastnight.LabelApproved
	if !r.approved {
		state = lastnight.LabelProposed
	}
	return lastnight.LabelRef{ID: r.label.ID, Author: r.label.Author, State: string(state)}
}

// index finds rules by what they match. The lock is that of Labels.
type index struct {
	gen     uint64                         // grows with every change
	buckets map[string][]*rule             // by one feature of each rule, in the order of before
	users   map[string]map[*entry]struct{} // labels by the templates in their targets, followed
	labeled map[string]int                 // how many labels a template has, retired ones left out
	words   map[string][]*entry            // labels by the words of their targets, for proposals
}

func newIndex(old *index) *index {
	x := &index{buckets: map[string][]*rule{}, users: map[string]map[*entry]struct{}{}, labeled: map[string]int{}, words: map[string][]*entry{}}
	if old != nil {
		x.gen = old.gen + 1
	}
	return x
}

// enlist makes the rule of a label and lets it be found. The caller holds l.mu.
func (l *Labels) enlist(e *entry) {
	x := l.index
	x.gen++
	e.rule, e.template = nil, ""
	if e.current.State == lastnight.LabelRetired {
		return
	}
	for _, id := range targetIDs(&e.current.Target) {
		x.use(l.resolver.final(id), e)
	}
	if t := e.current.Target.Template; t != nil {
		e.template = l.resolver.final(t.ID)
		x.labeled[e.template]++
	}
	src, approved := e.effective, true
	if src == nil && l.settings.ProposedExplain && e.current.State == lastnight.LabelProposed {
		now := e.current
		src, approved = &now, false
	}
	for _, w := range targetWords(&e.current.Target) {
		x.words[w] = append(x.words[w], e)
	}
	if src == nil {
		return
	}
	e.rule = l.resolver.rule(src, approved)
	for _, id := range targetIDs(&src.Target) {
		x.use(l.resolver.final(id), e)
	}
	x.place(e.rule)
}

func (x *index) use(template string, e *entry) {
	if x.users[template] == nil {
		x.users[template] = map[*entry]struct{}{}
	}
	x.users[template][e] = struct{}{}
}

// rule makes the rule of what a label says.
func (x *resolver) rule(src *lastnight.Label, approved bool) *rule {
	r := &rule{label: src, approved: approved}
	part := func(kind, value string, weight int) {
		r.parts = append(r.parts, kind+":"+value)
		r.weight += weight
	}
	if t := src.Target.Template; t != nil {
		part("template", x.final(t.ID), weighTemplate)
		r.buckets = []string{"exact:" + t.ID}
	}
	if s := src.Target.Signature; s != nil {
		for _, t := range s.Templates {
			part("template", x.final(t.ID), weighTemplate)
		}
		for _, e := range s.Exceptions {
			part("exception", e, weighException)
		}
		for _, c := range s.ExitCodes {
			part("exit", strconv.Itoa(c), weighExit)
		}
		for _, e := range s.Reasons {
			part("reason", e, weighReason)
		}
		if s.Layer != "" {
			part("layer", s.Layer, weighLayer)
		}
		if s.Job != "" {
			part("job", s.Job, weighJob)
		}
		if s.Namespace != "" {
			part("namespace", s.Namespace, weighNamespace)
		}
	}
	return r
}

// place puts a rule into the smallest bucket of one of its parts: any part will do, since an
// incident must have all of them.
func (x *index) place(r *rule) {
	least := ""
	for _, p := range r.parts {
		if kind, _, _ := strings.Cut(p, ":"); kind == "job" || kind == "namespace" {
			continue
		}
		if least == "" || len(x.buckets[p]) < len(x.buckets[least]) {
			least = p
		}
	}
	r.buckets = append(r.buckets, least)
	for _, b := range r.buckets {
		list := x.buckets[b]
		at, _ := slices.BinarySearchFunc(list, r, compareRules)
		x.buckets[b] = slices.Insert(list, at, r)
	}
}

func compareRules(a, b *rule) int {
	switch {
	case a.label.ID == b.label.ID:
		return 0
	case a.before(false, b, false):
		return -1
	}
	return 1
}

// remove undoes enlist; the resolver must be as it was then, or the rule is not found by its templates.
func (x *index) remove(e *entry) {
	x.gen++
	if r := e.rule; r != nil {
		for _, b := range r.buckets {
			if list := slices.DeleteFunc(x.buckets[b], func(o *rule) bool { return o == r }); len(list) > 0 {
				x.buckets[b] = list
			} else {
				delete(x.buckets, b)
			}
		}
	}
	if e.template != "" {
		if x.labeled[e.template]--; x.labeled[e.template] <= 0 {
			delete(x.labeled, e.template)
		}
	}
	for _, w := range targetWords(&e.current.Target) {
		if list := slices.DeleteFunc(x.words[w], func(o *entry) bool { return o == e }); len(list) > 0 {
			x.words[w] = list
		} else {
			delete(x.words, w)
		}
	}
	e.rule, e.template = nil, ""
}

// find gives the rule that explains what has these facts, or nil.
func (x *index) find(f *facts, r *resolver) *rule {
	var best *rule
	bestExact := false
	look := func(bucket string, exact bool) {
		for _, c := range x.buckets[bucket] {
			if best != nil && !c.before(exact, best, bestExact) {
				return
			}
			if f.has(c.parts) {
				best, bestExact = c, exact
				return
			}
		}
	}
	f.set = make(map[string]struct{}, 2*len(f.templates)+len(f.other))
	for _, o := range f.other {
		f.set[o] = struct{}{}
	}
	f.follow(f.templates, r)
	for _, id := range f.templates {
		look("exact:"+id, true)
	}
	for s := range f.set {
		look(s, false)
	}
	if best != nil || f.explained || len(f.near) == 0 {
		return best
	}
	// Nothing else explains it: what was written nearby may.
	f.follow(f.near, r)
	for _, id := range f.near {
		look("exact:"+id, true)
		look("template:"+r.final(id), false)
	}
	return best
}

func (f *facts) follow(ids []string, r *resolver) {
	for _, id := range ids {
		f.set["template:"+r.final(id)] = struct{}{}
	}
}

func (f *facts) has(parts []string) bool {
	for _, p := range parts {
		if _, ok := f.set[p]; !ok {
			return false
		}
	}
	return true
}
