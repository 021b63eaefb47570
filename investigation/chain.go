package investigation

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"lastnight"
)

const (
	maxEvidence  = 24       // items of a chain
	maxAlikePods = 3        // pods of which the same is shown
	maxText      = 64 << 10 // bytes of an item's text
	maxOfCause   = 5        // different items that show the cause, per failover
)

func itoa(n int) string { return strconv.Itoa(n) }

// link is one place in the chain: the first of what is alike, and how often it came.
type link struct {
	it    *item
	role  string
	cause string
	keep  int // higher is kept longer
	n     int
}

// chain collects evidence in time order, like with like.
type chain struct {
	tl        *timeline
	catalogue *Catalogue
	top       *candidate
	byShape   map[string]*link
	pods      map[string][]string // shape without the pod → pods shown
	docs      map[string]bool
}

func newChain(tl *timeline, c *Catalogue, top *candidate) *chain {
	return &chain{tl: tl, catalogue: c, top: top, byShape: map[string]*link{}, pods: map[string][]string{}, docs: map[string]bool{}}
}

// put adds an item, or counts it where it is alike to one before.
func (c *chain) put(it *item, role, cause string, keep int) {
	if it == nil || c.docs[it.f.doc.ID] {
		if it != nil {
			if l := c.byShape[c.shapeOf(it)]; l != nil {
				l.raise(role, cause, keep)
			}
		}
		return
	}
	c.docs[it.f.doc.ID] = true
	general := shape(it, false)
	key := c.shapeOf(it)
	l := c.byShape[key]
	if l == nil {
		who := it.f.doc.Pod
		if it.f.doc.Event != nil && len(c.pods[general]) >= maxAlikePods && !slices.Contains(c.pods[general], who) {
			if first := c.byShape[general+"\x00"+c.pods[general][0]]; first != nil {
				first.n++
			}
			return
		}
		c.pods[general] = append(c.pods[general], who)
		c.byShape[key] = &link{it: it, role: role, cause: cause, keep: keep, n: max(1, countOf(it.f.doc))}
		return
	}
	l.n += max(1, int(it.f.doc.Alike))
	if it.f.t.Before(l.it.f.t) {
		l.it = it
	}
	l.raise(role, cause, keep)
}

func (l *link) raise(role, cause string, keep int) {
	if keep > l.keep {
		l.keep = keep
		l.role = role
		if cause != "" {
			l.cause = cause
		}
	}
}

// shapeOf is what makes two items alike: what they say without numbers, and for events the pod.
func (c *chain) shapeOf(it *item) string { return shape(it, true) }

func shape(it *item, withPod bool) string {
	d := it.f.doc
	var b strings.Builder
	if e := d.Event; e != nil {
		fmt.Fprintf(&b, "e/%s/%s/%s/%d/%s", e.Kind, e.Reason, e.State, it.f.exit, mask(d.Text))
		if withPod {
			b.WriteString("\x00" + d.Pod)
			if d.Pod == "" {
				b.WriteString(e.Object.Name)
			}
		}
		return b.String()
	}
	if it.f.kind == factTransition {
		return "t/" + it.f.tr.name + "/" + it.f.tr.from + "/" + it.f.tr.to
	}
	first, rest, _ := strings.Cut(message(d), "\n")
	fmt.Fprintf(&b, "r/%s/%d/%s/%s", it.from, it.f.kind, mask(first), strings.Join(d.Exception, ","))
	if it.f.kind == factTaskFailed { // other tasks fail with it, of the same reason
		b.Reset()
		line, _, _ := strings.Cut(rest, "\n")
		fmt.Fprintf(&b, "r/%s/task/%s/%s", it.from, mask(line), strings.Join(d.Exception, ","))
	}
	if it.f.kind == factSigterm || it.f.kind == factWorkerTerminated {
		b.WriteString("\x00" + it.f.pod)
	}
	return b.String()
}

// mask replaces what differs between records that are alike: words with digits in them.
func mask(s string) string {
	if len(s) > 400 {
		s = s[:400]
	}
	words := strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(" \t,;()[]{}=\"'/:@#", r) })
	for i, w := range words {
		if strings.ContainsAny(w, "0123456789") {
			words[i] = "*"
		}
	}
	return strings.Join(words, " ")
}

// failover adds what one failover has to show.
func (c *chain) failover(fo *failover) {
	for _, o := range fo.openers {
		role := lastnight.RoleEffect
		if o.kind != openedByState && c.top == nil {
			role = lastnight.RoleCause
		}
		c.put(fo.links.byID[o.f.doc.ID], role, "", 9)
	}
	c.causeItems(fo)
	c.symptomItems(fo)
	for _, it := range fo.links.items {
		switch it.why {
		case whyEnd, whyNode:
			c.put(it, lastnight.RoleEffect, "", 6)
		case whyFailure:
			if it.f.kind == factTransition || len(it.f.doc.Exception) > 0 {
				c.put(it, lastnight.RoleEffect, "", 5)
			}
		}
	}
	for i := range c.tl.facts { // what becomes of it, up to where it ran again or was given up
		f := &c.tl.facts[i]
		if f.kind == factTransition && !f.t.Before(fo.start) && (fo.ran == nil || !f.t.After(fo.ran.t)) && (fo.givenUp == nil || !fo.deleted || f.t.Before(fo.givenUp.t)) && c.tl.ownDocument(fo, f.doc) && f.t.Sub(fo.start) < mergeWithin {
			role := lastnight.RoleEffect
			if f.tr.to == stateRunning {
				role = lastnight.RoleRecovery
			}
			c.put(c.tl.itemOf(f, 1, whyFailure), role, "", 8)
		}
	}
}

// causeItems adds what shows the cause.
func (c *chain) causeItems(fo *failover) {
	if c.top == nil || fo.rank == nil {
		return
	}
	cand := fo.rank.all[c.top.e.ID]
	if cand == nil {
		return
	}
	shapes := map[string]bool{}
	for _, it := range cand.items {
		s := shape(it, true)
		if it.link < linkPlatform || it.f.kind == factTransition && len(it.f.doc.Exception) == 0 {
			continue
		}
		if !shapes[s] && len(shapes) >= maxOfCause {
			if it.why != whyUpstream || len(shapes) >= 2*maxOfCause {
				continue
			}
		}
		shapes[s] = true
		role := lastnight.RoleCause
		if it.f.kind == factTransition {
			role = lastnight.RoleEffect
		}
		c.put(it, role, c.top.e.ID, 10)
	}
}

// symptomItems adds the first of what each effect of the cause shows.
func (c *chain) symptomItems(fo *failover) {
	if fo.rank == nil {
		return
	}
	for _, id := range slices.Sorted(maps.Keys(fo.rank.all)) {
		cand := fo.rank.all[id]
		effect := c.top != nil && cand.e.below[c.top.e.ID]
		if cand == c.top || len(cand.items) == 0 || c.top != nil && !effect || cand.onlyWeak || cand.score < 0.15 {
			continue
		}
		for _, it := range cand.items {
			if it.link >= linkPlatform && it.why != whyNear {
				c.put(it, lastnight.RoleEffect, id, 4)
				break
			}
		}
	}
}

// recovery adds how it became well again.
func (c *chain) recovery(fo *failover) {
	if fo.planned {
		return
	}
	last := fo.openers[len(fo.openers)-1].f.t
	limit := last.Add(mergeWithin)
	if fo.givenUp != nil {
		limit = fo.givenUp.t
	}
	if fo.doneBy != nil && fo.doneBy.t.Before(limit) {
		limit = fo.doneBy.t.Add(time.Nanosecond)
	}
	restarted := false
	for i := range c.tl.facts {
		f := &c.tl.facts[i]
		if f.t.Before(fo.start) || !f.t.Before(limit) || !c.tl.ownDocument(fo, f.doc) {
			continue
		}
		switch f.kind {
		case factJobManagerStart:
			if restarted = fo.recovered || fo.ran != nil; !restarted {
				continue
			}
		case factLeaderGranted:
			if !restarted {
				continue
			}
			restarted = false // the first is enough
		case factRestore:
		case factTransition:
			if f.tr.to != stateRunning {
				continue
			}
		default:
			continue
		}
		c.put(c.tl.itemOf(f, 1, whyFailure), lastnight.RoleRecovery, "", 8)
	}
	if fo.doneBy != nil {
		c.put(c.tl.itemOf(fo.doneBy, 1, whyFailure), lastnight.RoleRecovery, "", 7)
	}
}

// aftermath adds what the end of the job brought: Flink removing its own deployment.
func (c *chain) aftermath(fo *failover, downs []downtime) {
	if fo.givenUp == nil || fo.deleted {
		return
	}
	c.put(c.tl.itemOf(fo.givenUp, 1, whyFailure), lastnight.RoleEffect, "", 9)
	until := fo.givenUp.t.Add(mergeWithin)
	for i := range downs {
		if downs[i].first == fo.givenUp && !downs[i].to.IsZero() && downs[i].to.Before(until) {
			until = downs[i].to
		}
	}
	for i := range c.tl.facts {
		if f := &c.tl.facts[i]; f.kind == factKilling && !f.t.Before(fo.givenUp.t.Truncate(time.Second)) && f.t.Before(until) {
			c.put(c.tl.itemOf(f, 1, whyEnd), lastnight.RoleEffect, "", 5)
		}
	}
}

// evidence gives the chain: the most telling items in time order. Inside one second the cause comes
// before its effects, since events have only seconds.
func (c *chain) evidence() []lastnight.Evidence {
	links := slices.Collect(maps.Values(c.byShape))
	order := func(a, b *link) int {
		if d := a.it.f.t.Compare(b.it.f.t); d != 0 {
			return d
		}
		return strings.Compare(a.it.f.doc.ID, b.it.f.doc.ID)
	}
	slices.SortFunc(links, func(a, b *link) int {
		if a.keep != b.keep {
			return b.keep - a.keep
		}
		return order(a, b)
	})
	links = links[:min(len(links), maxEvidence)]
	slices.SortFunc(links, func(a, b *link) int {
		if a.it.f.t.Equal(b.it.f.t) && a.role != b.role && (a.role == lastnight.RoleCause || b.role == lastnight.RoleCause) {
			if a.role == lastnight.RoleCause {
				return -1
			}
			return 1
		}
		return order(a, b)
	})
	out := make([]lastnight.Evidence, 0, len(links))
	for _, l := range links {
		out = append(out, evidenceOf(l))
	}
	return out
}

func evidenceOf(l *link) lastnight.Evidence {
	d := l.it.f.doc
	ev := lastnight.Evidence{
		Time: d.Time.UTC(), Kind: "record", What: what(l.it), Text: d.Text, Role: l.role, Cause: l.cause,
		Source: lastnight.Source{Node: d.Node, Namespace: d.Namespace, Pod: d.Pod, Container: d.Container},
	}
	if l.n > 1 {
		ev.What += fmt.Sprintf(" (× %d)", l.n)
	}
	at := url.QueryEscape(d.Time.UTC().Format(time.RFC3339Nano))
	if e := d.Event; e != nil {
		ev.Kind, ev.EventID, ev.Reason, ev.Object, ev.ExitCode = "event", d.ID, e.Reason, &e.Object, e.ExitCode
		ev.Text = eventText(e)
		ev.Link = "/logs?q=" + url.QueryEscape("kind:event") + "&pod=" + url.QueryEscape(d.Pod) + "&ns=" + url.QueryEscape(d.Namespace) + "&at=" + at
	} else {
		ev.RecordID, ev.Template = d.ID, d.Template
		ev.Link = "/logs?pod=" + url.QueryEscape(d.Pod) + "&ns=" + url.QueryEscape(d.Namespace) + "&line=" + url.QueryEscape(d.ID)
		if l.it.f.kind == factTransition {
			ev.Kind = "transition"
		}
	}
	if len(ev.Text) > maxText {
		ev.Text = ev.Text[:maxText]
	}
	return ev
}

// eventText says all of an event in one line.
func eventText(e *lastnight.Event) string {
	var b strings.Builder
	for _, s := range []string{e.Type, e.Reason, e.Object.Kind + "/" + e.Object.Name} {
		if s != "" {
			b.WriteString(s + " ")
		}
	}
	if e.Container != "" {
		b.WriteString("container " + e.Container + " ")
	}
	if e.State != "" {
		b.WriteString(e.State + " ")
	}
	if e.ExitCode != nil {
		b.WriteString("exit code " + itoa(*e.ExitCode) + " ")
	}
	return strings.TrimSpace(strings.TrimRight(b.String(), " ") + ": " + e.Message)
}
