package store

import (
	"slices"
	"strings"
	"time"

	"lastnight"
)

// maxFlinkIDs is how many ids are kept of a job: those of the last so many starts.
const maxFlinkIDs = 1000

// Key joins the parts of a name, so that names sort by part and none can pass for
// another: NUL in a part is replaced.
func Key(parts ...string) string {
	clean := make([]string, len(parts))
	for i, p := range parts {
		clean[i] = strings.ReplaceAll(p, "\x00", "\ufffd")
	}
	return strings.Join(clean, "\x00")
}

// Grow makes a document that is held what it and another of its id know together, and tells whether that is more than
// it knew. Documents change in two ways only: a line that was read before it was whole comes again, longer; and a
// document stands for more records that are alike.
func Grow(held, d *lastnight.Document) bool {
	alike, grown := max(held.Alike, d.Alike), d.Alike > held.Alike
	if textBytes(d) > textBytes(held) {
		*held, grown = *d, true
	}
	held.Alike = alike
	return grown
}

// textBytes is how long a text is once it has been in a store.
func textBytes(d *lastnight.Document) int { return len(strings.ToValidUTF8(d.Text, "\ufffd")) }

// MergeTemplate updates what is held of a template with what is new, as PutTemplates promises.
func MergeTemplate(held, t *lastnight.Template) {
	keep(&held.Text, t.Text)
	keep(&held.Level, t.Level)
	keep(&held.Link, t.Link)
	keep(&held.Example, t.Example)
	if len(t.Exception) > 0 {
		held.Exception = t.Exception
	}
	widen(&held.FirstSeen, &held.LastSeen, t.FirstSeen, t.LastSeen)
}

// MergePod updates what is held of a pod with what is known now, as PutPods promises.
func MergePod(held, p *lastnight.Pod) {
	keep(&held.Cluster, p.Cluster)
	keep(&held.Node, p.Node)
	keep(&held.IP, p.IP)
	if p.Labels != nil {
		held.Labels = p.Labels
	}
	if p.Owner != (lastnight.ObjectRef{}) {
		held.Owner = p.Owner
	}
	if p.Images != nil {
		held.Images = p.Images
	}
	if !p.Created.IsZero() {
		held.Created = p.Created
	}
	if !p.Deleted.IsZero() {
		held.Deleted = p.Deleted
	}
}

// MergeJob updates what is held of a job with what is known now, as PutJobs promises.
func MergeJob(held, j *lastnight.Job) {
	keep(&held.Cluster, j.Cluster)
	if held.Kind != lastnight.JobFlink || j.Kind == lastnight.JobFlink {
		keep(&held.Workload, j.Workload)
		if j.Kind != "" {
			held.Kind = j.Kind
		}
	}
	for _, id := range j.FlinkIDs {
		if !slices.Contains(held.FlinkIDs, id) {
			held.FlinkIDs = append(held.FlinkIDs, id)
		}
	}
	held.FlinkIDs = held.FlinkIDs[max(0, len(held.FlinkIDs)-maxFlinkIDs):]
	widen(&held.FirstSeen, &held.LastSeen, j.FirstSeen, j.LastSeen)
}

// Matches tells whether a pod is one of those asked for.
func (r PodsRequest) Matches(p *lastnight.Pod) bool {
	is := func(want, have string) bool { return want == "" || want == have }
	return is(r.Namespace, p.Namespace) && is(r.Name, p.Name) && is(r.UID, p.UID) && is(r.IP, p.IP) &&
		(r.Workload == "" || lastnight.WorkloadOf(p).Name == r.Workload)
}

// JobMatches tells whether a job is one of those asked for.
func JobMatches(j *lastnight.Job, req lastnight.JobsRequest) bool {
	if req.Namespace != "" && req.Namespace != j.Namespace {
		return false
	}
	if req.Name != "" && req.Name != j.Name && req.Name != j.Workload && !slices.Contains(j.FlinkIDs, req.Name) {
		return false
	}
	return (req.Start.IsZero() || !j.LastSeen.Before(req.Start)) && (req.End.IsZero() || j.FirstSeen.Before(req.End))
}

// keep sets what is known over what was.
func keep(held *string, s string) {
	if s != "" {
		*held = s
	}
}

// widen makes the interval hold the other one; a zero time is not known.
func widen(first, last *time.Time, otherFirst, otherLast time.Time) {
	if first.IsZero() || !otherFirst.IsZero() && otherFirst.Before(*first) {
		*first = otherFirst
	}
	if otherLast.After(*last) {
		*last = otherLast
	}
}
