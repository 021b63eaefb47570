package main

import (
	"io"
	"log/slog"
	"testing"

	"lastnight"
	"lastnight/internal/testenv/elasticsearch"
	"lastnight/internal/testenv/s3"
)

// TestElasticsearchReplicasFollow: a label that one server takes is another's at once; it follows its template when that is
// linked to a more general one; the audit log is one; nobody needs a disk.
func TestElasticsearchReplicasFollow(t *testing.T) {
	if testing.Short() {
		t.Skip("starts Elasticsearch and an S3 server")
	}
	where := tierFlags{store: elasticsearch.Start(t).URL, prefix: "follow", archive: s3.Start(t).Bucket(t, "follow")}
	open := func() *node {
		n, err := openNode(t.Context(), nodeConfig{tiers: where, log: slog.New(slog.DiscardHandler), serves: true})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { closeTest(t, n) })
		return n
	}
	one, other := open(), open()
	templates := &watched{Store: one.store, labels: one.labels, changes: one.changes}
	special := lastnight.Template{ID: "special", Text: "queue orders is full"}
	general := lastnight.Template{ID: "general", Text: "queue <*> is full"}
	if err := templates.PutTemplates(t.Context(), []lastnight.Template{special, general}); err != nil {
		t.Fatal(err)
	}
	ctx := lastnight.WithActor(t.Context(), lastnight.Actor{Name: "ann", Role: lastnight.RoleAdmin, Namespaces: []string{lastnight.EveryNamespace}})
	made, err := one.labels.CreateLabel(ctx, lastnight.Label{
		Title: "The queue is too small", Cause: "backpressure", Advice: "Make it larger.", State: lastnight.LabelDraft,
		Target: lastnight.LabelTarget{Template: &lastnight.TemplateRef{ID: special.ID}},
	}, "seen at night")
	if err != nil {
		t.Fatal(err)
	}
	labelOf := func(template string) string {
		t.Helper()
		if err := other.changes.follow(ctx); err != nil { // as each request does
			t.Fatal(err)
		}
		found, err := other.labels.Labels(ctx, lastnight.LabelsRequest{Template: template})
		if err != nil {
			t.Fatal(err)
		}
		if len(found) != 1 {
			return ""
		}
		return found[0].ID
	}
	if got := labelOf(special.ID); got != made.ID {
		t.Errorf("the other server has the label %q, want %q", got, made.ID)
	}
	if got := labelOf(general.ID); got != "" {
		t.Errorf("the general template has the label %q already", got)
	}
	special.Link = general.ID
	if err := templates.PutTemplates(t.Context(), []lastnight.Template{special}); err != nil {
		t.Fatal(err)
	}
	if got := labelOf(general.ID); got != made.ID {
		t.Errorf("after the link the general template has the label %q at the other server, want %q", got, made.ID)
	}
	entries := func(n *node, write bool) int {
		t.Helper()
		log, err := n.openAudit(nil)
		if err != nil {
			t.Fatal(err)
		}
		if write {
			log.Audit(ctx, lastnight.AuditEntry{Action: "label.create", Target: made.ID})
		}
		all, err := log.Audits(ctx, lastnight.AuditRequest{})
		if err != nil {
			t.Fatal(err)
		}
		return len(all)
	}
	entries(one, true)
	if n := entries(other, true); n != 2 {
		t.Errorf("%d of 2 entries of the audit log", n)
	}
	args := []string{"leases", "--store", where.store, "--store-prefix", where.prefix, "--archive", where.archive}
	if code := run(t.Context(), args, nil, io.Discard, io.Discard); code != 3 {
		t.Errorf("leases of nobody: exit code %d", code)
	}
}
