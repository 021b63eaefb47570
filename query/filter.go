package query

import (
	"slices"
	"time"

	"lastnight"
)

// Filter is a whole search request, ready to be asked of many documents. It is
// immutable and may be used by several goroutines at once.
type Filter struct {
	Request lastnight.SearchRequest
	Node    Node // of Request.Query

	after   time.Time // position of Request.Cursor
	afterID string
}

// NewFilter parses what a request says. Its errors are of CodeInvalid.
func NewFilter(req *lastnight.SearchRequest) (*Filter, error) {
	n, err := Parse(req.Query)
	if err != nil {
		return nil, err
	}
	f := &Filter{Request: *req, Node: n}
	if req.Cursor != "" {
		if f.after, f.afterID, err = lastnight.ParseCursor(req.Cursor); err != nil {
			return nil, err
		}
	}
	return f, nil
}

// Match tells whether d is one of the documents asked for, the limit aside.
func (f *Filter) Match(d *lastnight.Document) bool {
	return f.inTime(d) && f.fields(d) && Match(f.Node, d)
}

// Cursor gives the position after which the answer continues, and whether there is one.
func (f *Filter) Cursor() (at time.Time, id string, ok bool) {
	return f.after, f.afterID, f.Request.Cursor != ""
}

func (f *Filter) inTime(d *lastnight.Document) bool {
	r := &f.Request
	if !r.Start.IsZero() && d.Time.Before(r.Start) || !r.End.IsZero() && !d.Time.Before(r.End) {
		return false
	}
	if r.Cursor == "" {
		return true
	}
	order := ComparePositions(d.Time, d.ID, f.after, f.afterID)
	if r.Oldest {
		return order > 0
	}
	return order < 0
}

func (f *Filter) fields(d *lastnight.Document) bool {
	r := &f.Request
	is := func(want, have string) bool { return want == "" || want == have }
	if !is(r.Namespace, d.Namespace) || !is(r.Pod, d.Pod) || !is(r.PodUID, d.PodUID) || !is(r.Container, d.Container) || !is(r.Node, d.Node) {
		return false
	}
	if r.Job != "" && r.Job != d.Job && r.Job != d.FlinkJob || r.Restart != nil && *r.Restart != d.Restart {
		return false
	}
	if len(r.Kinds) > 0 && !slices.Contains(r.Kinds, d.Kind) {
		return false
	}
	return len(r.Signals) == 0 || slices.ContainsFunc(d.Signals, func(s string) bool { return slices.Contains(r.Signals, s) })
}
