package client_test

import (
	"errors"
	"net/http/httptest"
	"strings"
	"testing"

	"lastnight"
	"lastnight/api"
	"lastnight/api/apitest"
	"lastnight/api/client"
)

// TestLabelerOverHTTP asks everything once, and gets a conflict with both versions.
func TestLabelerOverHTTP(t *testing.T) {
	t.Parallel()
	m := apitest.Sample()
	h, err := api.New(api.Config{Searcher: m, Investigator: m, Labeler: apitest.Labels{}})
	if err != nil {
		t.Fatal(err)
	}
	srv := httptest.NewServer(h)
	t.Cleanup(srv.Close)
	c, err := client.New(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	ctx := lastnight.WithActor(t.Context(), lastnight.Actor{Name: "ann", Role: lastnight.RoleAdmin})
	ok := func(what string, err error) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
	list, err := c.Labels(ctx, lastnight.LabelsRequest{States: []lastnight.LabelState{lastnight.LabelApproved}, Limit: 2})
	ok("labels", err)
	if len(list) != 2 {
		t.Errorf("%d labels", len(list))
	}
	l, err := c.Label(ctx, "disk-full")
	ok("label", err)
	made, err := c.CreateLabel(ctx, lastnight.Label{Title: "x", Target: l.Target}, "seen")
	ok("create", err)
	if made.Author != "ann" {
		t.Errorf("author %q", made.Author)
	}
	_, err = c.EditLabel(ctx, *l, 2, "")
	if both, isConflict := errors.AsType[*lastnight.LabelConflict](err); lastnight.CodeOf(err) != lastnight.CodeConflict || !isConflict || both.Current.Version != 3 || both.Yours.Title != l.Title {
		t.Errorf("conflict: %v", err)
	}
	_, err = c.EditLabel(ctx, *l, 3, "")
	ok("edit", err)
	_, err = c.ReviewLabel(ctx, l.ID, 3, lastnight.ActionRetire, "")
	ok("review", err)
	_, err = c.UndoLabel(ctx, l.ID, 3, 1, "")
	ok("undo", err)
	_, err = c.LabelHistory(ctx, l.ID)
	ok("history", err)
	_, err = c.LabelSettings(ctx)
	ok("settings", err)
	ok("set settings", c.SetLabelSettings(ctx, lastnight.LabelSettings{MinVotes: 3}))
	var b strings.Builder
	ok("export", c.ExportLabels(ctx, &b))
	// More than other bodies may have.
	res, err := c.ImportLabels(ctx, strings.NewReader(b.String()+strings.Repeat("# nothing\n", 300_000)), lastnight.ImportRequest{DryRun: true, Name: "a.yaml"})
	ok("import", err)
	if err == nil && !res.DryRun {
		t.Error("dry run was lost")
	}
	p, err := c.MergeTemplates(ctx, lastnight.MergeRequest{From: []string{"a"}, Into: "b", Preview: true})
	ok("merge", err)
	if err == nil && p.Merge.Into != "b" {
		t.Errorf("%+v", p.Merge)
	}
	s, err := c.SplitTemplate(ctx, lastnight.SplitRequest{Template: "t/1", Text: "x"})
	ok("split", err)
	if err == nil && s.Merge.From[0] != "t/1" {
		t.Errorf("%+v", s.Merge)
	}
	_, err = c.UndoMerge(ctx, "m1", "")
	ok("undo merge", err)
	_, err = c.Merges(ctx)
	ok("merges", err)
	_, err = c.TemplateDetail(ctx, "t1")
	ok("template", err)
	_, err = c.Queue(ctx, lastnight.QueueRequest{Limit: 3})
	ok("queue", err)
	_, err = c.Coverage(ctx, lastnight.CoverageRequest{Job: "x"})
	ok("coverage", err)
	_, err = c.PreviewLabel(ctx, *l)
	ok("preview", err)
	f, err := c.PutFeedback(ctx, lastnight.Feedback{Incident: "in-1", Answer: "yes"})
	ok("answer", err)
	if err == nil && f.By != "ann" {
		t.Errorf("%+v", f)
	}
	_, err = c.Feedback(ctx, "in-1")
	ok("feedback", err)
	_, err = c.Precision(ctx)
	ok("precision", err)
	_, err = c.Causes(ctx)
	ok("causes", err)
	if _, err = c.Label(ctx, "none"); lastnight.CodeOf(err) != lastnight.CodeNotFound || !strings.Contains(lastnight.HintOf(err), "disk-full") {
		t.Errorf("unknown label: %v", err)
	}
}
