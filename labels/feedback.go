package labels

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"lastnight"
)

const (
	maxAnswers = 1000 // to one incident
	maxComment = 4000
)

// storedFeedback is an answer as the Store has it.
type storedFeedback struct {
	Format int `json:"format"`
	lastnight.Feedback
}

// votes are the answers, in the order in which they came.
type votes struct {
	mu   sync.Mutex                      // all below
	said map[string][]lastnight.Feedback // by incident
}

func (v *votes) set(said map[string][]lastnight.Feedback) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.said = said
}

func (l *Labels) loadVotes(ctx context.Context) (map[string][]lastnight.Feedback, error) {
	said := map[string][]lastnight.Feedback{}
	for it, err := range l.cfg.Store.List(ctx, feedbackBucket, "") {
		if err != nil {
			return nil, err
		}
		var s storedFeedback
		if err := decode(it, func(s *storedFeedback) int { return s.Format }, &s); err != nil {
			return nil, err
		}
		said[s.Incident] = append(said[s.Incident], s.Feedback)
	}
	return said, nil
}

// PutFeedback implements lastnight.Feedbacker.
func (l *Labels) PutFeedback(ctx context.Context, f lastnight.Feedback) (*lastnight.Feedback, error) {
	a, err := require(ctx, lastnight.RoleViewer, "answer")
	if err != nil {
		return nil, err
	}
	switch {
	case f.Answer != lastnight.FeedbackYes && f.Answer != lastnight.FeedbackNo && f.Answer != lastnight.FeedbackOther:
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "yes, no or other", "%.40q is no answer", f.Answer)
	case f.Answer == lastnight.FeedbackOther && f.Other == "":
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "name it in other", "which cause was it?")
	case checkLine("other", f.Other, maxTitle) != nil, checkWhy(f.Comment) != nil || len(f.Comment) > maxComment:
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "", "the other cause must be one line of at most %d bytes, the comment at most %d", maxTitle, maxWhy)
	}
	in, err := l.cfg.Incidents.Incident(ctx, f.Incident)
	if err != nil {
		return nil, fmt.Errorf("answer on an incident: %w", err)
	}
	if !a.Sees(in.Namespace) {
		return nil, lastnight.Errorf(lastnight.CodeNotFound, "list them with lastnight incidents", "there is no incident %.80q", f.Incident)
	}
	one := []lastnight.Incident{*in}
	if err := l.Explain(ctx, one); err != nil {
		return nil, err
	}
	f.By, f.At, f.Cause, f.Label = a.Name, l.cfg.Now().UTC(), one[0].Diagnosis.Cause, ""
	if ref := one[0].Diagnosis.Label; ref != nil {
		f.Label = ref.ID
	}
	if err := l.keepFeedback(ctx, f); err != nil {
		return nil, err
	}
	if f.Label != "" {
		if err := l.judge(ctx, f.Label); err != nil {
			return nil, err
		}
	}
	return &f, nil
}

// keepFeedback appends an answer.
func (l *Labels) keepFeedback(ctx context.Context, f lastnight.Feedback) error {
	b, err := json.Marshal(storedFeedback{format, f})
	if err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	l.votes.mu.Lock()
	defer l.votes.mu.Unlock()
	for n := len(l.votes.said[f.Incident]) + 1; n <= maxAnswers; n++ {
		err := l.cfg.Store.Add(ctx, feedbackBucket, f.Incident+"@"+number(n), b)
		if lastnight.CodeOf(err) == lastnight.CodeConflict { // another process was faster
			continue
		}
		if err != nil {
			return fmt.Errorf("keep answer: %w", err)
		}
		l.votes.said[f.Incident] = append(l.votes.said[f.Incident], f)
		return nil
	}
	return lastnight.Errorf(lastnight.CodeTooLarge, "", "incident %s has %d answers already", f.Incident, maxAnswers)
}

// Feedback implements lastnight.Feedbacker.
func (l *Labels) Feedback(ctx context.Context, incident string) ([]lastnight.Feedback, error) {
	in, err := l.cfg.Incidents.Incident(ctx, incident)
	if err != nil {
		return nil, fmt.Errorf("find incident: %w", err)
	}
	if a, named := lastnight.ActorOf(ctx); named && !a.Sees(in.Namespace) {
		return nil, lastnight.Errorf(lastnight.CodeNotFound, "list them with lastnight incidents", "there is no incident %.80q", incident)
	}
	l.votes.mu.Lock()
	defer l.votes.mu.Unlock()
	return append([]lastnight.Feedback{}, l.votes.said[incident]...), nil
}

// tally counts answers by what they are about. since gives from when on they count.
func (v *votes) tally(since func(kind, id string) time.Time) []lastnight.Precision {
	type about struct{ kind, id string }
	counts := map[about]*lastnight.Precision{}
	v.mu.Lock()
	defer v.mu.Unlock()
	for _, said := range v.said {
		last := map[string]lastnight.Feedback{} // the last answer of each person on each label and cause
		for _, f := range said {
			last[f.By+"\x00"+f.Label+"\x00"+f.Cause] = f
		}
		for _, f := range last {
			k := about{"label", f.Label}
			if f.Label == "" {
				k = about{"cause", f.Cause}
			}
			if k.id == "" || f.At.Before(since(k.kind, k.id)) {
				continue
			}
			p := counts[k]
			if p == nil {
				p = &lastnight.Precision{Kind: k.kind, ID: k.id}
				counts[k] = p
			}
			if f.Answer == lastnight.FeedbackYes {
				p.Yes++
			} else {
				p.No++
			}
		}
	}
	out := []lastnight.Precision{}
	for _, p := range counts {
		p.Precision = float64(p.Yes) / float64(p.Yes+p.No)
		out = append(out, *p)
	}
	slices.SortFunc(out, func(a, b lastnight.Precision) int { return compareText(a.Kind+"\x00"+a.ID, b.Kind+"\x00"+b.ID) })
	return out
}

// Precision implements lastnight.Feedbacker.
func (l *Labels) Precision(context.Context) ([]lastnight.Precision, error) {
	return l.votes.tally(func(string, string) time.Time { return time.Time{} }), nil
}

// judge returns a label to review if too many of the answers since it was approved say that it was wrong.
func (l *Labels) judge(ctx context.Context, id string) error {
	l.mu.RLock()
	s := l.settings.LabelSettings
	e := l.labels[id]
	var since time.Time
	if e != nil {
		since = e.reviewed
	}
	l.mu.RUnlock()
	if e == nil {
		return nil
	}
	for _, p := range l.votes.tally(func(string, string) time.Time { return since }) {
		if p.Kind != "label" || p.ID != id {
			continue
		}
		if n := p.Yes + p.No; n >= s.MinVotes && p.Precision < s.MinPrecision {
			why := fmt.Sprintf("right in %d of %d answers, below the bar of %.0f %%", p.Yes, n, 100*s.MinPrecision)
			return l.sendBack(ctx, id, why)
		}
	}
	return nil
}
