package labels_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lastnight"
)

// TestLabelExplains: past and future, over the catalogue, after growth, merge and restart.
func TestLabelExplains(t *testing.T) {
	m := newMemory()
	m.text("t1", "lease of store <*> lost")
	m.text("t2", "lease of bucket <*> lost")
	m.text("t9", "the lease is gone")
	l := open(t, m)
	no := false
	approved(t, l, lastnight.Label{ID: "lease", Title: "The lease was lost.", Advice: "wait", Layer: "storage", Severity: "low", ActionNeeded: &no, Target: template("t1")})

	in := incident("a", "template:t1")
	in.Diagnosis = lastnight.Diagnosis{Explained: true, Cause: "node-lost", Title: "The node was lost", Confidence: .9, Layer: "node-hardware", ActionNeeded: true}
	in.Diagnosis.Chain = []lastnight.Evidence{{Role: lastnight.RoleEffect, Template: "t1", Kind: "record", Text: "lease of store 1 lost"}}
	is := []lastnight.Incident{in}
	if err := l.Explain(t.Context(), is); err != nil {
		t.Fatal(err)
	}
	want := lastnight.Diagnosis{
		Explained: true, Cause: "lease", Title: "The lease was lost.", Advice: "wait", Layer: "storage", Severity: "low", Confidence: .97,
		Verdict: "The lease was lost; orders failed over once and recovered: nothing has to be done.",
		Label:   &lastnight.LabelRef{ID: "lease", Author: "ann", State: "approved"}, Chain: in.Diagnosis.Chain,
		Alternatives: []lastnight.Alternative{{Cause: "node-lost", Title: "The node was lost", Confidence: .27}},
	}
	if d := cmp.Diff(want, is[0].Diagnosis); d != "" {
		t.Error(d)
	}
	l.TemplatesChanged([]lastnight.Template{m.grow("t1", "lease of store <*> lost", "g"), m.text("g", "lease of <*> <*> lost")})
	l.TemplatesChanged([]lastnight.Template{m.grow("t2", "lease of bucket <*> lost", "g")})
	bob := as(t, "bob", lastnight.RoleReviewer)
	if _, err := l.MergeTemplates(bob, lastnight.MergeRequest{From: []string{"t9"}, Into: "t1", Why: "same"}); err != nil {
		t.Fatal(err)
	}
	check := func(when string) {
		t.Helper()
		for _, id := range []string{"t1", "g", "t2", "t9"} {
			if got := explained(t, l, incident("b", "template:"+id)); got != "lease" {
				t.Errorf("%s: template %s is explained by %q", when, id, got)
			}
		}
		if got := explained(t, l, incident("c", "template:other")); got != "" {
			t.Errorf("%s: another template is explained by %q", when, got)
		}
	}
	check("grown and merged")
	l = open(t, m)
	check("restarted")
	// It grows again, after the merge: the merge holds.
	l.TemplatesChanged([]lastnight.Template{m.grow("g", "lease of <*> <*> lost", "h"), m.text("h", "<*> of <*> <*> lost")})
	check("grown again")
	if got := explained(t, l, incident("d", "template:h")); got != "lease" {
		t.Errorf("what it grew into is explained by %q", got)
	}
	merges, _ := l.Merges(t.Context())
	if _, err := l.UndoMerge(bob, merges[0].ID, "no"); err != nil {
		t.Fatal(err)
	}
	if got := explained(t, l, incident("e", "template:t9")); got != "" {
		t.Errorf("after the merge was undone: %q", got)
	}
	l = open(t, m)
	if got := explained(t, l, incident("e", "template:t9")); got != "" {
		t.Errorf("after the merge was undone, restarted: %q", got)
	}
}

func TestMostSpecificLabelWins(t *testing.T) {
	m := newMemory()
	for _, id := range []string{"t1", "t2"} {
		m.text(id, "text of "+id)
	}
	l := open(t, m)
	sig := func(s lastnight.Signature) lastnight.LabelTarget { return lastnight.LabelTarget{Signature: &s} }
	approved(t, l, lastnight.Label{ID: "reason", Title: "x", Target: sig(lastnight.Signature{Reasons: []string{"OOMKilled"}})})
	approved(t, l, lastnight.Label{ID: "reason-and-exit", Title: "x", Target: sig(lastnight.Signature{Reasons: []string{"OOMKilled"}, ExitCodes: []int{137}})})
	approved(t, l, lastnight.Label{ID: "template", Title: "x", Target: template("t1")})
	approved(t, l, lastnight.Label{ID: "template-in-job", Title: "x", Target: sig(lastnight.Signature{Templates: []lastnight.TemplateRef{{ID: "t1"}}, Job: "orders"})})
	approved(t, l, lastnight.Label{ID: "b-layer", Title: "x", Target: sig(lastnight.Signature{Layer: "storage"})})
	approved(t, l, lastnight.Label{ID: "a-layer", Title: "x", Target: sig(lastnight.Signature{Layer: "storage"})})
	approved(t, l, lastnight.Label{ID: "exception", Title: "x", Target: sig(lastnight.Signature{Exceptions: []string{"java.io.IOException"}})})
	for _, c := range []struct {
		features []string
		want     string
	}{
		{[]string{"reason:OOMKilled"}, "reason"},
		{[]string{"reason:OOMKilled", "exit:137"}, "reason-and-exit"},
		{[]string{"reason:OOMKilled", "exit:1"}, "reason"},
		{[]string{"exit:137"}, ""},
		{[]string{"reason:OOMKilled", "template:t1"}, "template-in-job"},
		{[]string{"layer:storage"}, "a-layer"},
		{[]string{"near:t1"}, "template-in-job"},
		{[]string{"near:t1", "layer:storage"}, "a-layer"},
		{[]string{"exception:java.io.IOException"}, "exception"},
		{[]string{"cause:tm-oomkilled"}, ""},
	} {
		if got := explained(t, l, incident("a", c.features...)); got != c.want {
			t.Errorf("%v: %q, want %q", c.features, got, c.want)
		}
	}
	other := incident("a", "template:t1")
	other.Job = "payments"
	if got := explained(t, l, other); got != "template" {
		t.Errorf("another job: %q", got)
	}
	chain := incident("a")
	chain.Diagnosis.Chain = []lastnight.Evidence{{Kind: "record", Role: lastnight.RoleEffect, Text: "it failed\njava.lang.RuntimeException: x\n\tat a.B(c)\nCaused by: java.io.IOException: disk"}}
	if got := explained(t, l, chain); got != "exception" {
		t.Errorf("an exception in the chain: %q", got)
	}
	planned := incident("a", "template:t1")
	planned.Planned = true
	if got := explained(t, l, planned); got != "" {
		t.Errorf("planned: %q", got)
	}
}

// TestReview walks a label through its life.
func TestReview(t *testing.T) {
	m := newMemory()
	m.text("t1", "x <*>")
	l := open(t, m)
	ann, bob, eve := as(t, "ann", lastnight.RoleReviewer), as(t, "bob", lastnight.RoleReviewer), as(t, "eve", lastnight.RoleViewer)
	in := incident("a", "template:t1")

	_, err := l.CreateLabel(eve, lastnight.Label{Title: "x", Target: template("t1")}, "")
	code(t, "a viewer labels", err, lastnight.CodeForbidden)
	_, err = l.CreateLabel(t.Context(), lastnight.Label{Title: "x", Target: template("t1")}, "")
	code(t, "nobody labels", err, lastnight.CodeUnauthenticated)
	_, err = l.CreateLabel(as(t, "LastNight", lastnight.RoleAdmin), lastnight.Label{Title: "x", Target: template("t1")}, "")
	code(t, "somebody in lastnight's name", err, lastnight.CodeForbidden)
	_, err = l.CreateLabel(ann, lastnight.Label{Title: "x", State: lastnight.LabelApproved, Target: template("t1")}, "")
	code(t, "approved at once", err, lastnight.CodeInvalid)

	n, err := l.CreateLabel(ann, lastnight.Label{Title: "Disk is full!", Target: template("t1")}, "seen on 21 Nov")
	if err != nil || n.ID != "disk-is-full" || n.State != lastnight.LabelDraft || n.Target.Template.Text != "x <*>" {
		t.Fatalf("%+v %v", n, err)
	}
	if second, err := l.CreateLabel(ann, lastnight.Label{Title: "Disk is full?", Target: template("t1")}, ""); err != nil || second.ID != "disk-is-full-2" {
		t.Errorf("%+v %v", second, err)
	}
	_, err = l.ReviewLabel(bob, n.ID, 1, lastnight.ActionApprove, "")
	code(t, "approve a draft", err, lastnight.CodeInvalid)
	step := func(ctxName string, action lastnight.LabelAction, want lastnight.LabelState) {
		t.Helper()
		var err error
		if n, err = l.ReviewLabel(as(t, ctxName, lastnight.RoleReviewer), n.ID, n.Version, action, "because"); err != nil || n.State != want {
			t.Fatalf("%s: %+v %v", action, n, err)
		}
	}
	step("ann", lastnight.ActionPropose, lastnight.LabelProposed)
	_, err = l.ReviewLabel(ann, n.ID, n.Version, lastnight.ActionApprove, "")
	code(t, "approve one's own", err, lastnight.CodeForbidden)
	if explained(t, l, in) != "" {
		t.Error("a proposal explains")
	}
	step("bob", lastnight.ActionApprove, lastnight.LabelApproved)
	if explained(t, l, in) != "disk-is-full" {
		t.Error("approved, and does not explain")
	}
	edit := *n
	edit.Title = "The disk is nearly full"
	_, err = l.EditLabel(bob, edit, n.Version-1, "")
	code(t, "edit of an old version", err, lastnight.CodeConflict)
	if c, ok := errors.AsType[*lastnight.LabelConflict](err); !ok || c.Current.Version != n.Version || c.Yours.Title != edit.Title {
		t.Errorf("the conflict has %+v", c)
	}
	if n, err = l.EditLabel(bob, edit, n.Version, "more exact"); err != nil || n.State != lastnight.LabelProposed {
		t.Fatalf("%+v %v", n, err)
	}
	is := []lastnight.Incident{in}
	if err := l.Explain(t.Context(), is); err != nil || is[0].Diagnosis.Title != "Disk is full!" {
		t.Errorf("while the edit waits: %+v %v", is[0].Diagnosis, err)
	}
	_, err = l.ReviewLabel(bob, n.ID, n.Version, lastnight.ActionApprove, "")
	code(t, "approve one's own edit", err, lastnight.CodeForbidden)
	step("ann", lastnight.ActionApprove, lastnight.LabelApproved)
	if n, err = l.UndoLabel(bob, n.ID, n.Version, 3, "was better"); err != nil || n.Title != "Disk is full!" || n.State != lastnight.LabelApproved || n.Version != 6 {
		t.Fatalf("%+v %v", n, err)
	}
	is = []lastnight.Incident{in}
	if err := l.Explain(t.Context(), is); err != nil || is[0].Diagnosis.Title != "Disk is full!" {
		t.Errorf("after the undo: %+v %v", is[0].Diagnosis, err)
	}
	step("bob", lastnight.ActionRetire, lastnight.LabelRetired)
	if explained(t, l, in) != "" {
		t.Error("a retired label explains")
	}
	step("bob", lastnight.ActionRestore, lastnight.LabelDraft)
	history, err := l.LabelHistory(t.Context(), n.ID)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for i, c := range history {
		told = append(told, string(c.Action)+" "+c.By)
		if c.Label.Version != i+1 {
			t.Errorf("entry %d is version %d", i, c.Label.Version)
		}
	}
	want := "create ann, propose ann, approve bob, edit bob, approve ann, undo bob, retire bob, restore bob"
	if got := strings.Join(told, ", "); got != want {
		t.Errorf("history %s\nwant    %s", got, want)
	}
	again := open(t, m)
	if is, err := again.Label(t.Context(), n.ID); err != nil || cmp.Diff(n, is) != "" {
		t.Errorf("restarted: %s %v", cmp.Diff(n, is), err)
	}
}

func TestSettings(t *testing.T) {
	m := newMemory()
	m.text("t1", "x <*>")
	l := open(t, m)
	admin := as(t, "ann", lastnight.RoleAdmin)
	n, err := l.CreateLabel(admin, lastnight.Label{Title: "x", State: lastnight.LabelProposed, Target: template("t1")}, "")
	if err != nil {
		t.Fatal(err)
	}
	code(t, "a reviewer sets", l.SetLabelSettings(as(t, "bob", lastnight.RoleReviewer), lastnight.LabelSettings{}), lastnight.CodeForbidden)
	code(t, "a bar above 1", l.SetLabelSettings(admin, lastnight.LabelSettings{MinPrecision: 2}), lastnight.CodeInvalid)
	if err := l.SetLabelSettings(admin, lastnight.LabelSettings{OnePerson: true, ProposedExplain: true}); err != nil {
		t.Fatal(err)
	}
	in := incident("a", "template:t1")
	if explained(t, l, in) != "x" {
		t.Error("proposals shall explain, and do not")
	}
	if _, err := l.ReviewLabel(admin, n.ID, n.Version, lastnight.ActionApprove, ""); err != nil {
		t.Errorf("one person shall be enough: %v", err)
	}
	l = open(t, m)
	if s, _ := l.LabelSettings(t.Context()); !s.OnePerson || !s.ProposedExplain || s.MinVotes != 5 {
		t.Errorf("restarted: %+v", s)
	}
}

// TestFeedbackReturnsToReview: five answers, two of them yes, are below the bar.
func TestFeedbackReturnsToReview(t *testing.T) {
	m := newMemory()
	m.text("t1", "x <*>")
	m.incidents = []lastnight.Incident{incident("a", "template:t1"), incident("b", "reason:Evicted")}
	m.incidents[1].Diagnosis = lastnight.Diagnosis{Explained: true, Cause: "node-lost"}
	l := open(t, m)
	approved(t, l, lastnight.Label{ID: "x", Title: "x", Target: template("t1")})
	say := func(who, incident, answer string) {
		t.Helper()
		f, err := l.PutFeedback(as(t, who, lastnight.RoleViewer), lastnight.Feedback{Incident: incident, Answer: answer, Other: "y"})
		if err != nil || f.By != who {
			t.Fatalf("%+v %v", f, err)
		}
	}
	for i, who := range []string{"p1", "p2", "p3", "p4"} {
		say(who, "a", []string{"yes", "no"}[i%2])
	}
	say("p1", "a", "no") // who answers again counts once
	say("p1", "b", "yes")
	if n, _ := l.Label(t.Context(), "x"); n.State != lastnight.LabelApproved {
		t.Fatalf("four people: %s", n.State)
	}
	say("p5", "a", "other")
	n, _ := l.Label(t.Context(), "x")
	if n.State != lastnight.LabelProposed || n.ApprovedVersion != 0 || explained(t, l, m.incidents[0]) != "" {
		t.Errorf("one of five right: %+v", n)
	}
	history, _ := l.LabelHistory(t.Context(), "x")
	if c := history[len(history)-1]; c.By != lastnight.SystemActor || c.Action != lastnight.ActionReview || c.Why != "right in 1 of 5 answers, below the bar of 50 %" {
		t.Errorf("%+v", c)
	}
	want := []lastnight.Precision{{Kind: "cause", ID: "node-lost", Yes: 1, Precision: 1}, {Kind: "label", ID: "x", Yes: 1, No: 4, Precision: .2}}
	for range 2 {
		if got, _ := l.Precision(t.Context()); cmp.Diff(want, got) != "" {
			t.Error(cmp.Diff(want, got))
		}
		l = open(t, m)
	}
	// Approved again, the old answers do not count against it.
	if _, err := l.ReviewLabel(as(t, "bob", lastnight.RoleReviewer), "x", n.Version, lastnight.ActionApprove, "looked again"); err != nil {
		t.Fatal(err)
	}
	_, err := l.PutFeedback(as(t, "p9", lastnight.RoleViewer, "elsewhere"), lastnight.Feedback{Incident: "a", Answer: "yes"})
	code(t, "an incident that may not be seen", err, lastnight.CodeNotFound)
	_, err = l.PutFeedback(as(t, "p9", lastnight.RoleViewer), lastnight.Feedback{Incident: "a", Answer: "maybe"})
	code(t, "no answer", err, lastnight.CodeInvalid)
}
