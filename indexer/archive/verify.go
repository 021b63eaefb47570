package archive

import (
	"context"
	"slices"
	"time"
)

// Stats counts what the archive holds. Sizes are bytes.
type Stats struct {
	Segments int       `json:"segments"`
	Chunks   int       `json:"chunks"`
	Blocks   int       `json:"blocks"`
	Bytes    int64     `json:"bytes"`     // of all files
	RawBytes int64     `json:"raw_bytes"` // of the log files they stand for
	Lines    int64     `json:"lines"`
	Records  int64     `json:"records"`
	First    time.Time `json:"first,omitzero"` // time of the oldest line
	Last     time.Time `json:"last,omitzero"`
	Garbage  int       `json:"garbage"` // files that wait for being deleted
	Damaged  int64     `json:"damaged"` // see Archive.Damaged
}

// Stats counts from the directories, without reading a file.
func (a *Archive) Stats(ctx context.Context) (Stats, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	s := Stats{Garbage: len(a.garbage), Damaged: a.Damaged()}
	for _, f := range a.files {
		if f.kind == kindSegment {
			s.Segments++
		} else {
			s.Chunks++
		}
		s.Blocks += f.blocks
		s.Bytes += f.size
		s.RawBytes += f.raw
		s.Lines += f.lines
		s.Records += f.records
		if f.empty {
			continue
		}
		if first := nsTime(f.first); s.First.IsZero() || first.Before(s.First) {
			s.First = first
		}
		if last := nsTime(f.last); last.After(s.Last) {
			s.Last = last
		}
	}
	return s, ctx.Err()
}

// Finding is a damaged place.
type Finding struct {
	File  string `json:"file"`
	Error string `json:"error"` // names the offset
}

// Report is what Verify found.
type Report struct {
	Files    int       `json:"files"`
	Blocks   int       `json:"blocks"`
	Bytes    int64     `json:"bytes"`
	Findings []Finding `json:"findings,omitempty"`
}

// Verify reads everything: each directory, filter and block is checked against its
// checksum, and blocks are decoded. Damage is in the report; an error ends it early.
func (a *Archive) Verify(ctx context.Context) (Report, error) {
	var r Report
	a.mu.Lock()
	s := &scan{a: a}
	for _, f := range a.files {
		f.refs++
		s.files = append(s.files, f)
	}
	a.mu.Unlock()
	defer s.release(ctx)
	slices.SortFunc(s.files, (*file).compare)
	for _, f := range s.files {
		r.Files++
		r.Bytes += f.size
		note := func(err error) error {
			if skipped := s.skip(ctx, f, err); skipped != nil {
				return skipped
			}
			r.Findings = append(r.Findings, Finding{File: f.name, Error: err.Error()})
			return nil
		}
		d, err := readDirectory(ctx, f.size, a.rangeOf(f.name))
		if err != nil {
			if err := note(err); err != nil {
				return r, err
			}
			continue
		}
		for _, p := range d.filters {
			if _, err := readPart(ctx, p, a.rangeOf(f.name)); err != nil {
				if err := note(err); err != nil {
					return r, err
				}
			}
		}
		for i := range d.blocks {
			r.Blocks++
			if _, err := a.rows(ctx, f, d, i); err != nil {
				if err := note(err); err != nil {
					return r, err
				}
			}
		}
	}
	return r, nil
}
