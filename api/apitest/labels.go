package apitest

import (
	"context"
	"io"
	"time"

	"lastnight"
)

// Labels is a Labeler that knows one label, disk-full in version 3, and keeps nothing. Changes
// answer with what they were given.
type Labels struct{}

var _ lastnight.Labeler = Labels{}

// Label is what it knows.
func disk() lastnight.Label {
	yes := true
	return lastnight.Label{
		ID: "disk-full", Version: 3, State: lastnight.LabelApproved, Title: "The disk is full", Cause: "disk-full", Advice: "empty it", Severity: "high",
		Layer: "storage", Owner: "platform-sre", ActionNeeded: &yes, Links: []string{"https://example.org/runbook"},
		Target:  lastnight.LabelTarget{Template: &lastnight.TemplateRef{ID: "t1", Text: "disk <*> is full"}},
		Author:  "ann",
		Created: Night, Updated: Night.Add(time.Hour), ApprovedBy: "bob", ApprovedVersion: 3,
	}
}

func (Labels) found(id string) (*lastnight.Label, error) {
	if id != "disk-full" {
		return nil, lastnight.Errorf(lastnight.CodeNotFound, "did you mean disk-full?", "there is no label %q", id)
	}
	l := disk()
	return &l, nil
}

// changed checks the version.
func (s Labels) changed(l lastnight.Label, version int) (*lastnight.Label, error) {
	is, err := s.found(l.ID)
	if err != nil {
		return nil, err
	}
	if version != is.Version {
		l.State = is.State
		return nil, lastnight.Errorf(lastnight.CodeConflict, "look", "%w", &lastnight.LabelConflict{Current: *is, Yours: l})
	}
	is.Version++
	return is, nil
}

// Labels lists the one.
func (Labels) Labels(context.Context, lastnight.LabelsRequest) ([]lastnight.Label, error) {
	other := disk()
	other.ID, other.Target = "oom", lastnight.LabelTarget{Signature: &lastnight.Signature{Reasons: []string{"OOMKilled"}, ExitCodes: []int{137}}}
	return []lastnight.Label{disk(), other}, nil
}

// Label gives it.
func (s Labels) Label(_ context.Context, id string) (*lastnight.Label, error) { return s.found(id) }

// LabelHistory gives one change.
func (s Labels) LabelHistory(_ context.Context, id string) ([]lastnight.LabelChange, error) {
	l, err := s.found(id)
	if err != nil {
		return nil, err
	}
	return []lastnight.LabelChange{{Action: lastnight.ActionApprove, By: "bob", At: Night, Why: "seen", Label: *l}}, nil
}

// LabelSettings gives some.
func (Labels) LabelSettings(context.Context) (lastnight.LabelSettings, error) {
	return lastnight.LabelSettings{MinPrecision: .5, MinVotes: 5}, nil
}

// Causes gives one.
func (Labels) Causes(context.Context) ([]lastnight.Cause, error) {
	return []lastnight.Cause{{ID: "tm-oomkilled", Title: "Killed for want of memory", Layer: "job-config", Severity: "high", Advice: "raise it", ActionNeeded: true, Owner: "job-owner"}}, nil
}

// CreateLabel answers with what it was given, as somebody's first version.
func (Labels) CreateLabel(ctx context.Context, l lastnight.Label, _ string) (*lastnight.Label, error) {
	a, _ := lastnight.ActorOf(ctx)
	l.Version, l.Author, l.State, l.Created, l.Updated = 1, a.Name, lastnight.LabelDraft, Night, Night
	return &l, nil
}

// EditLabel checks the version.
func (s Labels) EditLabel(_ context.Context, l lastnight.Label, version int, _ string) (*lastnight.Label, error) {
	return s.changed(l, version)
}

// ReviewLabel checks the version.
func (s Labels) ReviewLabel(_ context.Context, id string, version int, _ lastnight.LabelAction, _ string) (*lastnight.Label, error) {
	return s.changed(lastnight.Label{ID: id}, version)
}

// UndoLabel checks the version.
func (s Labels) UndoLabel(_ context.Context, id string, version, _ int, _ string) (*lastnight.Label, error) {
	return s.changed(lastnight.Label{ID: id}, version)
}

// SetLabelSettings forgets them.
func (Labels) SetLabelSettings(context.Context, lastnight.LabelSettings) error { return nil }

// ExportLabels writes an empty file.
func (Labels) ExportLabels(_ context.Context, w io.Writer) error {
	_, err := io.WriteString(w, "version: 1\nlabels: []\n")
	return err
}

// ImportLabels reads all of it, and changes nothing.
func (Labels) ImportLabels(_ context.Context, r io.Reader, req lastnight.ImportRequest) (*lastnight.ImportResult, error) {
	if _, err := io.Copy(io.Discard, r); err != nil {
		return nil, err
	}
	return &lastnight.ImportResult{DryRun: req.DryRun, Created: []string{"a"}, Changed: []string{}, Unchanged: 1}, nil
}

func incidentRefs() []lastnight.IncidentRef {
	return []lastnight.IncidentRef{{ID: "in-1", Namespace: "flink", Job: "orders-enrich", Start: Night, Failovers: 2, Explained: true, Cause: "tm-oomkilled"}}
}

func proposals() []lastnight.LabelProposal {
	return []lastnight.LabelProposal{{Label: lastnight.LabelRef{ID: "disk-full", Author: "ann", State: "approved"}, Title: "The disk is full", Cause: "disk-full", Template: "t1", Text: "disk", Score: .5}}
}

func preview(m lastnight.TemplateMerge) *lastnight.MergePreview {
	m.ID, m.By, m.At = "m-1", "bob", Night
	return &lastnight.MergePreview{
		Merge: m, Templates: []lastnight.Template{{ID: "t1", Text: "disk <*>", FirstSeen: Night, LastSeen: Night}},
		Labels:    []lastnight.LabelTouched{{Label: lastnight.LabelRef{ID: "disk-full", Author: "ann", State: "approved"}, Title: "The disk is full", Before: 1, After: 2}},
		Incidents: incidentRefs(), Touched: 1, Counts: []lastnight.TemplateTotal{{Template: "t1", Count: 7}},
	}
}

// MergeTemplates tells of it.
func (Labels) MergeTemplates(_ context.Context, req lastnight.MergeRequest) (*lastnight.MergePreview, error) {
	return preview(lastnight.TemplateMerge{Kind: lastnight.KindMerge, From: req.From, Into: req.Into, Why: req.Why}), nil
}

// SplitTemplate tells of it.
func (Labels) SplitTemplate(_ context.Context, req lastnight.SplitRequest) (*lastnight.MergePreview, error) {
	return preview(lastnight.TemplateMerge{Kind: lastnight.KindSplit, From: []string{req.Template}, Into: "t9", Text: req.Text, Why: req.Why}), nil
}

// UndoMerge tells of it.
func (Labels) UndoMerge(_ context.Context, id, why string) (*lastnight.TemplateMerge, error) {
	return &lastnight.TemplateMerge{ID: id, Kind: lastnight.KindMerge, From: []string{"t1"}, Into: "t2", By: "bob", At: Night, Why: why, Undone: true}, nil
}

// Merges lists one.
func (Labels) Merges(context.Context) ([]lastnight.TemplateMerge, error) {
	return []lastnight.TemplateMerge{preview(lastnight.TemplateMerge{Kind: lastnight.KindMerge, From: []string{"t1"}, Into: "t2"}).Merge}, nil
}

// TemplateDetail shows any.
func (Labels) TemplateDetail(_ context.Context, id string) (*lastnight.TemplateDetail, error) {
	return &lastnight.TemplateDetail{
		Template: lastnight.Template{ID: id, Text: "disk <*>", FirstSeen: Night, LastSeen: Night}, Became: "t2", Aliases: []string{"t3"},
		Labels: []lastnight.Label{disk()}, Incidents: incidentRefs(), Jobs: 1, Failovers: 2, Samples: Sample().Documents[:1], Similar: proposals(),
	}, nil
}

// Queue has one template.
func (Labels) Queue(context.Context, lastnight.QueueRequest) ([]lastnight.QueueItem, error) {
	return []lastnight.QueueItem{{
		Kind: lastnight.QueueTemplate, ID: "t1", Title: "disk <*>", Impact: 4, Failovers: 2, Jobs: 2, Last: Night, Incidents: incidentRefs(),
		Target: disk().Target, Proposals: proposals(),
	}}, nil
}

// Coverage is a half.
func (Labels) Coverage(context.Context, lastnight.CoverageRequest) (*lastnight.Coverage, error) {
	return &lastnight.Coverage{Interval: lastnight.Interval{Start: Night, End: Night.Add(time.Hour)}, Failovers: 2, Explained: 1, ByCatalogue: 1, Share: .5, Summary: "50 %"}, nil
}

// PreviewLabel finds one.
func (Labels) PreviewLabel(context.Context, lastnight.Label) (*lastnight.LabelPreview, error) {
	return &lastnight.LabelPreview{Incidents: incidentRefs(), Matches: 1, Failovers: 2, Replaces: 1}, nil
}

// PutFeedback answers with what it was given.
func (Labels) PutFeedback(ctx context.Context, f lastnight.Feedback) (*lastnight.Feedback, error) {
	a, _ := lastnight.ActorOf(ctx)
	f.By, f.At, f.Label, f.Cause = a.Name, Night, "disk-full", "disk-full"
	return &f, nil
}

// Feedback gives one answer.
func (Labels) Feedback(_ context.Context, incident string) ([]lastnight.Feedback, error) {
	return []lastnight.Feedback{{Incident: incident, Answer: lastnight.FeedbackOther, Other: "a cable", Comment: "was unplugged", By: "ann", At: Night, Cause: "tm-oomkilled"}}, nil
}

// Precision gives one.
func (Labels) Precision(context.Context) ([]lastnight.Precision, error) {
	return []lastnight.Precision{{Kind: "label", ID: "disk-full", Yes: 3, No: 1, Precision: .75}}, nil
}
