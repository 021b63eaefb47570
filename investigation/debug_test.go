package investigation

import (
	"context"
	"os"
	"testing"
	"time"
)

func TestDebug(t *testing.T) {
	dir := os.Getenv("DBG")
	if dir == "" {
		t.Skip()
	}
	c, _ := DefaultCatalogue()
	m := newMemory(c)
	loadCase(t, m, dir)
	tr := readTruth(t, dir)
	x := &investigator{source: m, catalogue: c, now: time.Now()}
	k := workloadKey{tr.Namespace, tr.Job}
	from, to := tr.Deployed.Add(-time.Hour), tr.ObservedUntil.Add(time.Hour)
	tl, err := x.loadTimeline(context.Background(), k, from, to)
	if err != nil {
		t.Fatal(err)
	}
	nodes, _ := x.loadNodes(context.Background(), tl, from, to)
	downs := tl.downtimes(nodes)
	for _, d := range downs {
		t.Logf("down %v %v %v %v", d.from, d.to, d.deleted, d.state)
	}
	tl.each(func(p *podInfo) { t.Logf("%+v", *p) })
	os_, u := x.openers(tl, downs)
	for _, o := range os_ {
		t.Logf("opener %d %v %s %s %.150s", o.kind, o.f.t, o.f.pod, o.f.reason, o.f.doc.Text)
	}
	t.Log(u, len(tl.facts))
	list := tl.failovers(os_, downs)
	_ = x.settle(context.Background(), tl, list, downs, to)
	for _, fo := range list {
		fo.from = fo.start.Add(-lookback)
		_ = x.link(context.Background(), tl, nodes, fo)
		t.Logf("failover %v planned=%v ran=%v rec=%v givenUp=%v", fo.start, fo.planned, fo.ran != nil, fo.recovered, fo.givenUp != nil)
		if fo.planned {
			continue
		}
		x.rankCauses(tl, nodes, fo)
		for id, cd := range fo.rank.all {
			t.Logf("    %s %.2f weak=%v supp=%v items=%d", id, cd.score, cd.onlyWeak, cd.suppressed, len(cd.items))
		}
		for _, it := range fo.links.items {
			t.Logf("      %v %s %.2f %s %s %.180s", it.f.t.Format("15:04:05.000"), it.why, it.link, it.from, it.f.pod, it.text)
		}
	}
}
