package corpus

import (
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"time"
)

// partBytes is where container runtimes cut a line.
const partBytes = 16 << 10

// How often, per record.
const (
	longLines = 1.0 / 50_000 // a line over partBytes
	episodes  = 1.0 / 3_000  // an episode begins: some failing job's records
)

// startRecords and episodeRecords are how long a pod's start and later episodes are.
const (
	startRecords   = 150
	episodeRecords = 60
)

var (
	namespaces = []string{"flink-prod", "flink-staging", "data-platform"}
	subjects   = []string{"orders", "clicks", "payments", "stock", "prices", "parcels", "returns", "sessions", "alerts", "ratings"}
	doings     = []string{"enrich", "join", "totals", "scoring", "export", "dedup", "windows"}
)

// pod writes the log of one pod.
type pod struct {
	opts      Options
	sample    *sample
	size      int64
	namespace string
	name      string
	uid       string
	job       string
	jobID     string
	r         *rand.Rand
	recent    [address + 1]recent
	line      []byte // of the record under way
	out       []byte // CRI text not yet written
	stats     Stats
}

func newPod(c *Corpus, i int) *pod {
	workload := i / 4
	jr, r := random(c.opts.Seed, 1_000_000+uint64(workload)), random(c.opts.Seed, 1+uint64(i))
	p := &pod{
		opts: c.opts, size: c.sizes[i], r: r,
		namespace: namespaces[workload%len(namespaces)],
		job:       subjects[workload%len(subjects)] + "-" + doings[workload/len(subjects)%len(doings)],
		jobID:     hexString(jr, 32),
	}
	if round := workload / len(subjects) / len(doings); round > 0 {
		p.job += "-" + strconv.Itoa(round)
	}
	if i%4 == 0 {
		p.sample = c.samples[jobManager]
		p.name = p.job + "-" + hexString(r, 10) + "-" + hexString(r, 5)
	} else {
		p.sample = c.samples[taskManager]
		p.name = fmt.Sprintf("%s-taskmanager-1-%d", p.job, i%4)
	}
	p.uid = uuidString(r)
	return p
}

func (p *pod) folder() string { return p.namespace + "_" + p.name + "_" + p.uid }

// write makes the file. Times advance with the bytes, so the pod's lines spread over the whole span.
func (p *pod) write(w io.Writer) (Stats, error) {
	p.stats.Pods = 1
	steady, episode := p.sample.steady, p.sample.episodes[:min(startRecords, len(p.sample.episodes))]
	at := p.r.IntN(len(steady))
	var last time.Time
	for p.stats.RawBytes < p.size {
		share := float64(p.stats.RawBytes) / float64(p.size)
		now := p.opts.Start.Add(time.Duration(share * float64(p.opts.Span))).Add(time.Duration(p.r.IntN(1_000_000)))
		if !now.After(last) {
			now = last.Add(time.Microsecond)
		}
		switch {
		case len(episode) > 0:
			last = p.record(&episode[0], now)
			episode = episode[1:]
		case p.r.Float64() < episodes:
			from := p.r.IntN(len(p.sample.episodes))
			episode = p.sample.episodes[from:min(from+episodeRecords, len(p.sample.episodes))]
		default:
			last = p.record(&steady[at], now)
			at = (at + 1) % len(steady)
		}
		if len(p.out) >= 256<<10 {
			if _, err := w.Write(p.out); err != nil {
				return p.stats, err
			}
			p.out = p.out[:0]
		}
	}
	_, err := w.Write(p.out)
	return p.stats, err
}

// record makes one record's lines and gives the time of the last.
func (p *pod) record(rec *record, now time.Time) time.Time {
	p.stats.Records++
	if len(rec.lines) > 1 {
		p.stats.Traces++
	}
	for i, segments := range rec.lines {
		if i > 0 {
			now = now.Add(time.Duration(1000 + p.r.IntN(20_000)))
		}
		p.line = p.line[:0]
		for _, s := range segments {
			p.line = p.value(p.line, s, now)
		}
		if i == 0 && p.r.Float64() < longLines {
			p.line = p.payload(p.line)
		}
		p.emit(now, p.line)
	}
	return now
}

// payload makes the line longer than a part, as applications do that log their data.
func (p *pod) payload(b []byte) []byte {
	b = append(b, ` payload=[`...)
	for range 400 + p.r.IntN(1200) {
		b = append(b, `{"id":`...)
		b = strconv.AppendInt(b, int64(p.r.IntN(1_000_000)), 10)
		b = append(b, `,"key":"customer-`...)
		b = append(b, p.recent[number].next(p.r, func() string { return digits(p.r, 6) })...)
		b = append(b, `"},`...)
	}
	return append(b, ']')
}

// emit writes a line as the container runtime does.
func (p *pod) emit(now time.Time, line []byte) {
	p.stats.Lines++
	p.stats.MessageBytes += int64(len(line))
	for {
		part, tag := line, byte('F')
		if len(line) > partBytes {
			part, tag = line[:partBytes], 'P'
		}
		before := len(p.out)
		p.out = now.AppendFormat(p.out, "2006-01-02T15:04:05.000000000Z")
		p.out = append(p.out, " stdout "...)
		p.out = append(p.out, tag, ' ')
		p.out = append(p.out, part...)
		p.out = append(p.out, '\n')
		p.stats.Parts++
		p.stats.RawBytes += int64(len(p.out) - before)
		if tag == 'F' {
			return
		}
		line = line[partBytes:]
	}
}
