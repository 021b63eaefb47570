package indexer

import (
	"time"

	"lastnight"
)

// settledLines is after how many lines of a workload a template that is new says something:
// before, all are.
const settledLines = 2000

// spanPass is what a pass gathers of the important records of one span: what can be done once is not done for each of them, since
// in a bad night most records are important.
type spanPass struct {
	pass     *pass
	span     *lastnight.Span
	workload lastnight.Workload
	stream   lastnight.StreamID

	kinds    *kindsOfStream // nil: it had no important record yet
	troubled bool
	from, to int64 // of the trouble, ns since 1970
	landmark bool  // among it
	alike    map[*growth]*alike
}

// alike is a document that stands for more records.
type alike struct {
	doc  *lastnight.Document // nil: it is not of this pass
	n    int64               // for which it stands now
	more int64               // of them, that this span gave
}

// important makes a document of a record, unless it is one more of the same.
func (sp *spanPass) important(r *lastnight.Record, rec *lastnight.Recognition) {
	p, t := sp.pass, r.Lines[0].Time
	if sp.kinds == nil {
		sp.kinds = p.x.merger.of(sp.stream)
		p.streams[sp.stream] = true
	}
	if trouble(r, rec) {
		if !sp.troubled {
			sp.troubled, sp.from, sp.to = true, t, t
		}
		sp.from, sp.to = min(sp.from, t), max(sp.to, t)
	}
	weight := weigh(r, rec)
	sp.landmark = sp.landmark || weight == weightLandmark
	g := p.x.merger.see(sp.kinds, r.Template, floorMinute(t), weight)
	if !g.keep {
		sp.oneMore(g)
		return
	}
	d := document(sp.span, sp.stream, r, sp.workload)
	d.Signals, d.FlinkJob, d.FlinkJobID = rec.Signals, rec.JobName, rec.JobID
	d.Alike = 1
	p.put(&d)
	p.x.merger.kept(g, &d)
}

// oneMore notes that a document stands for one more record.
func (sp *spanPass) oneMore(g seen) {
	if g.first == nil {
		return
	}
	a := sp.alike[g.first]
	if a == nil {
		if sp.alike == nil {
			sp.alike = map[*growth]*alike{}
		}
		a = &alike{doc: sp.pass.docs[g.first.id]}
		sp.alike[g.first] = a
	}
	a.n, a.more = g.n, a.more+1
}

// done tells of what was gathered: for how many records a document stands in the document, if it is of this pass, else in the
// store, later.
func (sp *spanPass) done() {
	p := sp.pass
	if sp.troubled {
		p.mark(sp.workload, stretch{time.Unix(0, sp.from).UTC(), time.Unix(0, sp.to).UTC(), !sp.landmark})
	}
	if len(sp.alike) == 0 {
		return
	}
	grown := make(map[*growth]more, len(sp.alike))
	for g, a := range sp.alike {
		if a.doc != nil {
			a.doc.Alike = a.n
		} else {
			p.grown[g] += a.more
		}
		grown[g] = more{a.n, a.doc != nil}
	}
	p.x.merger.grow(grown, p.x.cfg.Now())
}
