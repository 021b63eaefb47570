package api

import (
	"cmp"
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"lastnight"
	"lastnight/query"
)

// sampled is how many important documents are looked at for values that no list has.
const sampled = 1000

// fields answers what a query may name, for completion.
type fields struct {
	env *env
	ask lastnight.Searcher
}

// Routes gives the resource's routes.
func (f fields) Routes() chi.Router {
	r := chi.NewRouter()
	f.env.get(r, "/", endpoint{handle: f.list})
	f.env.get(r, "/{name}/values", endpoint{params: append([]string{"prefix", "namespace", "job", "limit"}, intervalParams...), handle: f.values})
	return r
}

// FieldName is a field of the search language on the wire.
type FieldName struct {
	Name string `json:"name"`
}

// FieldValue is a value of a field. Count is how many were seen where values are counted, else 0.
type FieldValue struct {
	Value string `json:"value"`
	Count int    `json:"count,omitempty"`
}

func (f fields) list(w http.ResponseWriter, _ *http.Request, _ *params) error {
	items := []FieldName{}
	for _, n := range query.Names() {
		items = append(items, FieldName{n})
	}
	return writeJSON(w, List[FieldName]{Items: items})
}

func (f fields) values(w http.ResponseWriter, r *http.Request, p *params) error {
	in, prefix, limit := p.interval(), strings.ToLower(p.text("prefix")), p.integer("limit", 20, 1, 1000)
	req := lastnight.SearchRequest{Namespace: p.text("namespace"), Job: p.text("job"), Start: in.Start, End: in.End}
	name, err := pathText(r, "name")
	if p.err != nil {
		err = p.err
	}
	if err != nil {
		return err
	}
	field, err := fieldNamed(name)
	if err != nil {
		return err
	}
	counts, err := f.collect(r.Context(), field, req)
	if err != nil {
		return err
	}
	items := []FieldValue{}
	for v, n := range counts {
		if strings.Contains(strings.ToLower(v), prefix) {
			items = append(items, FieldValue{v, n})
		}
	}
	slices.SortFunc(items, func(a, b FieldValue) int {
		begins := func(v FieldValue) int {
			if strings.HasPrefix(strings.ToLower(v.Value), prefix) {
				return 0
			}
			return 1
		}
		return cmp.Or(begins(a)-begins(b), b.Count-a.Count, strings.Compare(a.Value, b.Value))
	})
	return writeJSON(w, newList(items[:min(limit, len(items))], "", in))
}

// fieldNamed finds a field as a query names it.
func fieldNamed(name string) (query.Field, error) {
	n, err := query.Parse(name + ":*")
	if err != nil {
		return "", err
	}
	k, ok := n.(query.Keyword)
	if !ok {
		return "", lastnight.Errorf(lastnight.CodeNotFound, "", "%s has no values to choose from", clip(name))
	}
	return k.Field, nil
}

// collect gives the values of a field: from lists where those are complete, else from the newest important documents.
func (f fields) collect(ctx context.Context, field query.Field, req lastnight.SearchRequest) (map[string]int, error) {
	values := map[string]int{}
	switch field {
	case query.FieldLevel:
		return set("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"), nil
	case query.FieldKind:
		return set("record", "event", "pod", "container", "node", "Pod", "Node", "Deployment"), nil
	case query.FieldStream:
		return set("stdout", "stderr"), nil
	case query.FieldType:
		return set("Normal", "Warning"), nil
	case query.FieldSignal:
		return set(lastnight.SignalTransition, lastnight.SignalTask, lastnight.SignalCheckpoint, lastnight.SignalRestore, lastnight.SignalLifecycle,
			lastnight.SignalPlanned, lastnight.SignalException, lastnight.SignalCause, lastnight.SignalNew), nil
	case query.FieldJob, query.FieldNamespace:
		jobs, err := f.ask.Jobs(ctx, lastnight.JobsRequest{Namespace: req.Namespace})
		for i := range jobs {
			if field == query.FieldNamespace {
				values[jobs[i].Namespace]++
			} else {
				values[jobs[i].Name]++
			}
		}
		return values, err
	case query.FieldPod, query.FieldContainer, query.FieldNode, query.FieldComponent:
		streams, err := f.ask.Streams(ctx, lastnight.StreamsRequest{Namespace: req.Namespace, Job: req.Job, Start: req.Start, End: req.End})
		for i := range streams {
			s := &streams[i]
			values[map[query.Field]string{
				query.FieldPod: s.Pod, query.FieldContainer: s.Container, query.FieldNode: s.Node, query.FieldComponent: s.Component,
			}[field]]++
		}
		delete(values, "")
		return values, err
	default:
	}
	req.Important, req.Limit = true, sampled
	var buf []string
	for d, err := range f.ask.Search(ctx, req) {
		if err != nil {
			return nil, err
		}
		buf = field.Values(&d, buf[:0])
		for _, v := range buf {
			if len(v) <= maxFieldValue {
				values[v]++
			}
		}
	}
	return values, nil
}

// maxFieldValue keeps whole messages out of what is offered for choice.
const maxFieldValue = 200

func set(values ...string) map[string]int {
	m := make(map[string]int, len(values))
	for _, v := range values {
		m[v] = 0
	}
	return m
}
