package clusterer_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"lastnight"
	"lastnight/clusterer"
)

// flinkLines are messages of a Flink cluster, with state changes, users, ids and sizes.
func flinkLines(n int) []string {
	states := []string{"CREATED", "SCHEDULED", "DEPLOYING", "INITIALIZING", "RUNNING", "FAILED", "CANCELED", "FINISHED"}
	users := strings.Fields("root admin oracle test guest mysql nobody www-data ftp backup postgres jenkins git news mail")
	r := rand.New(rand.NewPCG(1, 2))
	out := make([]string, 0, n)
	for i := range n {
		switch i % 6 {
		case 0:
			k := r.IntN(len(states) - 1)
			out = append(out, fmt.Sprintf("count-by-customer -> Sink: audit-sink (%d/2) (%032x_b71731f1c0df9c3076c4a455334d0ad6_0_%d) switched from %s to %s.", 1+r.IntN(2), r.Uint64(), i, states[k], states[k+1]))
		case 1:
			out = append(out, fmt.Sprintf("Completed checkpoint %d for job %032x (%d bytes, checkpointDuration=%d ms, finalizationTime=%d ms).", i, r.Uint64(), r.IntN(99999), r.IntN(900), r.IntN(50)))
		case 2:
			out = append(out, "session opened for user "+users[r.IntN(len(users))])
		case 3:
			out = append(out, fmt.Sprintf("Connecting to ResourceManager pekko.tcp://flink@10.244.0.%d:6123/user/rpc/resourcemanager_*(%016x).", r.IntN(250), r.Uint64()))
		case 4:
			out = append(out, fmt.Sprintf("Removing registered  reader after recovery for subtask %d (attempt %d) value='%s'\tdone", i, r.IntN(9), users[r.IntN(3)]))
		default:
			out = append(out, fmt.Sprintf("Received heartbeat from container_%d took %dms, free %d.%d MB", i, r.IntN(99), r.IntN(1000), r.IntN(9)))
		}
	}
	return out
}

func TestRenderGivesBackTheMessage(t *testing.T) {
	c := clusterer.New(clusterer.Config{})
	var vars []lastnight.Var
	for _, line := range flinkLines(3000) {
		m := c.Add([]byte(line), nil, vars)
		vars = m.Vars
		tpl, ok := c.Template(m.ID)
		if !ok {
			t.Fatalf("no template %s", m.ID)
		}
		got, ok := clusterer.Render(tpl.Text, clusterer.Values([]byte(line), m.Vars))
		if !ok || got != line {
			t.Fatalf("Render(%q) = %q, %v; want %q", tpl.Text, got, ok, line)
		}
	}
}

func TestStatesStayApartAndUsersDoNot(t *testing.T) {
	c := clusterer.New(clusterer.Config{})
	ids := map[string]string{}
	for _, line := range flinkLines(3000) {
		ids[line] = c.Add([]byte(line), nil, nil).ID
	}
	texts := map[string]bool{}
	for _, id := range ids {
		tpl, _ := c.Template(c.Resolve(id))
		texts[tpl.Text] = true
	}
	for _, want := range []string{
		"count-by-customer -> Sink: audit-sink (<*>) (<*>) switched from RUNNING to FAILED.",
		"count-by-customer -> Sink: audit-sink (<*>) (<*>) switched from CREATED to SCHEDULED.",
		"session opened for user <*>",
		"Completed checkpoint <*> for job <*> (<*> bytes, checkpointDuration=<*> ms, finalizationTime=<*> ms).",
	} {
		if !texts[want] {
			t.Errorf("no template %q in %v", want, texts)
		}
	}
}

func TestSnapshotGoesOnTheSame(t *testing.T) {
	lines := flinkLines(4000)
	a := clusterer.New(clusterer.Config{})
	for _, line := range lines[:1000] {
		a.Add([]byte(line), nil, nil)
	}
	var snap bytes.Buffer
	if err := a.Snapshot(&snap); err != nil {
		t.Fatal(err)
	}
	kept := bytes.Clone(snap.Bytes())
	b := clusterer.New(clusterer.Config{})
	if err := b.Restore(&snap); err != nil {
		t.Fatal(err)
	}
	for i, line := range lines {
		x, y := a.Add([]byte(line), nil, nil), b.Add([]byte(line), nil, nil)
		if diff := cmp.Diff(x, y); diff != "" {
			t.Fatalf("line %d after restore: %s", i, diff)
		}
	}
	if diff := cmp.Diff(a.Changed(), b.Changed()); diff != "" {
		t.Errorf("Changed differs: %s", diff)
	}
	if diff := cmp.Diff(a.Stats(), b.Stats()); diff != "" {
		t.Errorf("Stats differ: %s", diff)
	}

	kept[len(kept)/2] ^= 1
	if err := b.Restore(bytes.NewReader(kept)); !errors.Is(err, clusterer.ErrCorrupt) {
		t.Errorf("a flipped bit: %v, want ErrCorrupt", err)
	}
	if err := b.Restore(strings.NewReader("lastnight-clusterer 99 0 0\n")); !errors.Is(err, clusterer.ErrVersion) || !strings.Contains(err.Error(), "99") {
		t.Errorf("version 99: %v, want ErrVersion that names it", err)
	}
	if diff := cmp.Diff(a.Stats(), b.Stats()); diff != "" {
		t.Errorf("a failed Restore changed something: %s", diff)
	}
}

func TestExceptionsAreOfTheTemplate(t *testing.T) {
	c := clusterer.New(clusterer.Config{})
	add := func(msg string, exc ...string) string { return c.Add([]byte(msg), exc, nil).ID }
	a := add("Job 4711 failed", "java.lang.RuntimeException", "java.io.IOException")
	b := add("Job 4712 failed", "java.lang.RuntimeException", "java.io.IOException")
	other := add("Job 4713 failed", "java.lang.RuntimeException", "java.lang.OutOfMemoryError")
	none := add("Job 4714 failed")
	if a != b || a == other || a == none || other == none {
		t.Errorf("ids %s %s (same chain), %s (other cause), %s (none)", a, b, other, none)
	}
	tpl, _ := c.Template(a)
	if diff := cmp.Diff([]string{"java.lang.RuntimeException", "java.io.IOException"}, tpl.Exception); diff != "" {
		t.Error(diff)
	}
}

func TestDumpIsReadable(t *testing.T) {
	c := clusterer.New(clusterer.Config{})
	c.Add([]byte("Job 4711 failed"), nil, nil)
	var snap, out bytes.Buffer
	if err := c.Snapshot(&snap); err != nil {
		t.Fatal(err)
	}
	if !clusterer.IsSnapshot(snap.Bytes()[:30]) || clusterer.IsSnapshot([]byte("{}")) {
		t.Error("IsSnapshot is wrong")
	}
	if err := clusterer.Dump(&snap, &out); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(out.String(), `"templates": [`) {
		t.Errorf("no templates in %s", out.String())
	}
}

func TestRunGivesBackLines(t *testing.T) {
	lines := flinkLines(300)
	var out bytes.Buffer
	err := clusterer.Run(t.Context(), strings.NewReader(strings.Join(lines, "\n")), &out, clusterer.RunConfig{Format: clusterer.FormatMessage})
	if err != nil {
		t.Fatal(err)
	}
	results := strings.Split(strings.TrimSpace(out.String()), "\n")
	if len(results) != len(lines) {
		t.Fatalf("%d results of %d lines", len(results), len(lines))
	}
	for i, s := range results {
		var r struct {
			Line      int      `json:"line"`
			ID        string   `json:"template_id"`
			Text      string   `json:"template"`
			Variables []string `json:"variables"`
		}
		if err := json.Unmarshal([]byte(s), &r); err != nil {
			t.Fatal(err)
		}
		if got, ok := clusterer.Render(r.Text, r.Variables); !ok || got != lines[i] || r.Line != i+1 || len(r.ID) != 16 {
			t.Fatalf("result %d: %s, want the line %q", i, s, lines[i])
		}
	}
}

func TestRunFinal(t *testing.T) {
	in := "2026-11-21 11:53:28,376 INFO  com.acme.Audit  [] - session opened for alice  tty=ssh uid=0\n" +
		"2026-11-21 11:53:28,377 INFO  com.acme.Audit  [] - session opened for bob  tty=ssh uid=0\n" +
		"2026-11-21 11:53:28,378 INFO  com.acme.Audit  [] - session opened for carol  tty=ssh uid=0\n" +
		"2026-11-21 11:53:28,379 INFO  com.acme.Audit  [] - session opened for dave  tty=ssh uid=0\n"
	var out bytes.Buffer
	if err := clusterer.Run(t.Context(), strings.NewReader(in), &out, clusterer.RunConfig{Final: true}); err != nil {
		t.Fatal(err)
	}
	for i, name := range []string{"alice", "bob", "carol", "dave"} {
		want := fmt.Sprintf(`"template":"session opened for <*> tty=ssh uid=<*>","variables":[%q,"0"]}`, name)
		if line := strings.Split(out.String(), "\n")[i]; !strings.HasSuffix(line, want) {
			t.Errorf("line %d: %s, want …%s", i+1, line, want)
		}
	}
}

// TestRunFinalBeyondItsBounds: what was forgotten before the end is there all the same, and right.
func TestRunFinalBeyondItsBounds(t *testing.T) {
	var in strings.Builder
	want := make([]string, 3000)
	for i := range want {
		want[i] = fmt.Sprintf("%s %s took %d of %s", wordOf(i*31), wordOf(i%97), i, wordOf(i*17))
		fmt.Fprintln(&in, want[i])
	}
	var out bytes.Buffer
	var stats clusterer.Stats
	cfg := clusterer.RunConfig{
		Final: true, Format: clusterer.FormatMessage, Config: clusterer.Config{MaxTemplates: 64, MaxPatterns: 64},
		Report: func(s clusterer.Stats) { stats = s },
	}
	if err := clusterer.Run(t.Context(), strings.NewReader(in.String()), &out, cfg); err != nil {
		t.Fatal(err)
	}
	if stats.Evicted == 0 || stats.Lines < int64(len(want)) {
		t.Errorf("what was forgotten is not reported: %+v", stats)
	}
	for i, s := range strings.Split(strings.TrimSpace(out.String()), "\n") {
		var r struct {
			Text      string   `json:"template"`
			Variables []string `json:"variables"`
		}
		if err := json.Unmarshal([]byte(s), &r); err != nil {
			t.Fatal(err)
		}
		if got, ok := clusterer.Render(r.Text, r.Variables); !ok || got != want[i] {
			t.Fatalf("line %d: %q %q, want %q", i, r.Text, r.Variables, want[i])
		}
	}
}
