package labels

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"lastnight"
)

// move is what an action does to a label's state.
type move struct {
	from []lastnight.LabelState
	to   lastnight.LabelState
	role lastnight.Role
}

// moveOf gives what a person may do in a review.
func moveOf(a lastnight.LabelAction) (move, bool) {
	const draft, proposed, approved, retired = lastnight.LabelDraft, lastnight.LabelProposed, lastnight.LabelApproved, lastnight.LabelRetired
	switch a {
	case lastnight.ActionPropose:
		return move{[]lastnight.LabelState{draft}, proposed, lastnight.RoleLabeler}, true
	case lastnight.ActionApprove:
		return move{[]lastnight.LabelState{proposed}, approved, lastnight.RoleReviewer}, true
	case lastnight.ActionReject:
		return move{[]lastnight.LabelState{proposed}, draft, lastnight.RoleReviewer}, true
	case lastnight.ActionReview:
		return move{[]lastnight.LabelState{approved}, proposed, lastnight.RoleReviewer}, true
	case lastnight.ActionRetire:
		return move{[]lastnight.LabelState{draft, proposed, approved}, retired, lastnight.RoleReviewer}, true
	case lastnight.ActionRestore:
		return move{[]lastnight.LabelState{retired}, draft, lastnight.RoleLabeler}, true
	}
	return move{}, false
}

// ReviewLabel implements lastnight.LabelWriter.
func (l *Labels) ReviewLabel(ctx context.Context, id string, version int, action lastnight.LabelAction, why string) (*lastnight.Label, error) {
	m, ok := moveOf(action)
	if !ok {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "propose, approve, reject, review, retire or restore", "a label cannot be told to %.80q", string(action))
	}
	a, err := require(ctx, lastnight.RoleLabeler, string(action)+" a label")
	if err != nil {
		return nil, err
	}
	if err := checkWhy(why); err != nil {
		return nil, err
	}
	old, authors, err := l.at(lastnight.Label{ID: id}, version)
	if err != nil {
		return nil, err
	}
	own := action == lastnight.ActionRetire && old.ApprovedVersion == 0 && old.Author == a.Name // a draft of one's own
	if !own {
		if _, err := require(ctx, m.role, string(action)+" a label"); err != nil {
			return nil, err
		}
	}
	if !slices.Contains(m.from, old.State) {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, fmt.Sprintf("lastnight labels show %s", id), "label %s is %s; only what is %v can be told to %s", id, old.State, m.from, action)
	}
	if action == lastnight.ActionApprove && !l.onePerson() && slices.Contains(authors, a.Name) {
		return nil, lastnight.Errorf(lastnight.CodeForbidden, "ask another reviewer, or set one_person (lastnight labels settings)", "%s wrote label %s: a second person must approve it", a.Name, id)
	}
	next := l.next(old, old, old.Author)
	next.State = m.to
	switch action {
	case lastnight.ActionApprove:
		next.ApprovedVersion, next.ApprovedBy = next.Version, a.Name
	case lastnight.ActionReview, lastnight.ActionRetire:
		next.ApprovedVersion, next.ApprovedBy = 0, ""
	}
	return l.add(ctx, lastnight.LabelChange{Action: action, By: a.Name, At: next.Updated, Why: why, Label: next})
}

// sendBack returns an approved label to review in lastnight's own name.
func (l *Labels) sendBack(ctx context.Context, id string, why string) error {
	l.mu.RLock()
	e := l.labels[id]
	if e == nil || e.current.ApprovedVersion == 0 {
		l.mu.RUnlock()
		return nil
	}
	old := e.current
	l.mu.RUnlock()
	next := l.next(old, old, old.Author)
	next.State, next.ApprovedVersion, next.ApprovedBy = lastnight.LabelProposed, 0, ""
	_, err := l.add(ctx, lastnight.LabelChange{Action: lastnight.ActionReview, By: lastnight.SystemActor, At: next.Updated, Why: why, Label: next})
	if lastnight.CodeOf(err) == lastnight.CodeConflict {
		return nil // somebody is at it already
	}
	return err
}

// settings are the settings and how often they were set.
type settings struct {
	lastnight.LabelSettings
	n int
}

type storedSettings struct {
	Format int `json:"format"`
	lastnight.LabelSettings
	By string `json:"by"`
	At string `json:"at"`
}

const (
	defaultMinPrecision = 0.5
	defaultMinVotes     = 5
)

func withDefaults(s lastnight.LabelSettings) lastnight.LabelSettings {
	if s.MinPrecision == 0 {
		s.MinPrecision = defaultMinPrecision
	}
	if s.MinVotes == 0 {
		s.MinVotes = defaultMinVotes
	}
	return s
}

func (l *Labels) onePerson() bool {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.settings.OnePerson
}

func (l *Labels) loadSettings(ctx context.Context) (settings, error) {
	s := settings{LabelSettings: withDefaults(lastnight.LabelSettings{})}
	for it, err := range l.cfg.Store.List(ctx, settingsBucket, "") {
		if err != nil {
			return s, err
		}
		var v storedSettings
		if err := decode(it, func(v *storedSettings) int { return v.Format }, &v); err != nil {
			return s, err
		}
		s.LabelSettings = withDefaults(v.LabelSettings)
		s.n++
	}
	return s, nil
}

// LabelSettings implements lastnight.LabelReader.
func (l *Labels) LabelSettings(context.Context) (lastnight.LabelSettings, error) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	return l.settings.LabelSettings, nil
}

// SetLabelSettings implements lastnight.LabelWriter.
func (l *Labels) SetLabelSettings(ctx context.Context, s lastnight.LabelSettings) error {
	a, err := require(ctx, lastnight.RoleAdmin, "change settings")
	if err != nil {
		return err
	}
	if s.MinPrecision < 0 || s.MinPrecision > 1 || s.MinVotes < 0 || s.MinVotes > 1_000_000 {
		return lastnight.Errorf(lastnight.CodeInvalid, "min_precision from 0 to 1, min_votes from 1", "the bar is %g of %d answers", s.MinPrecision, s.MinVotes)
	}
	l.mu.RLock()
	n := l.settings.n
	l.mu.RUnlock()
	b, err := json.Marshal(storedSettings{format, s, a.Name, l.cfg.Now().UTC().Format("2006-01-02T15:04:05Z")})
	if err != nil {
		return fmt.Errorf("encode settings: %w", err)
	}
	if err := l.cfg.Store.Add(ctx, settingsBucket, number(n+1), b); err != nil {
		return fmt.Errorf("keep settings: %w", err)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.settings = settings{withDefaults(s), n + 1}
	l.remerge() // which labels explain may have changed
	return nil
}

// number is a key that orders.
func number(n int) string { return fmt.Sprintf("%08d", n) }
