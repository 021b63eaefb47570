package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"strings"
	"time"
)

// Stats counts what the archive holds. Sizes are bytes.
type Stats struct {
	Segments  int       `json:"segments"`
	Chunks    int       `json:"chunks"`
	Manifests int       `json:"manifests"`
	Listed    int       `json:"listed"` // chunks that manifests list
	Blocks    int       `json:"blocks"`
	Bytes     int64     `json:"bytes"`     // of all files
	RawBytes  int64     `json:"raw_bytes"` // of the log files they stand for
	Lines     int64     `json:"lines"`
	Records   int64     `json:"records"`
	First     time.Time `json:"first,omitzero"` // time of the oldest line
	Last      time.Time `json:"last,omitzero"`
	Garbage   int       `json:"garbage"` // files that wait for being deleted
	Damaged   int64     `json:"damaged"` // see Archive.Damaged
}

// Stats counts what there is. It reads what manifests say of chunks only where it is not known which lines are the oldest or newest.
func (a *Archive) Stats(ctx context.Context) (s Stats, err error) {
	err = a.whole(func() error {
		s, err = a.stats(ctx)
		return err
	})
	return s, err
}

func (a *Archive) stats(ctx context.Context) (Stats, error) {
	a.mu.Lock()
	s := Stats{Garbage: len(a.garbage), Damaged: a.Damaged(), Manifests: len(a.manifests)}
	for _, f := range a.files {
		s.add(f)
	}
	stocks := a.stocks()
	for _, m := range a.manifests {
		s.addListed(&m.sums)
	}
	a.mu.Unlock()
	for i := range stocks {
		for j := range stocks[i].m.shelves {
			sh := &stocks[i].m.shelves[j]
			some, all := stocks[i].some(sh)
			if !some || sh.first > sh.last || s.has(sh.first) && s.has(sh.last) {
				continue
			}
			if all {
				s.reach(sh.first, sh.last)
				continue
			}
			files, err := a.onShelf(ctx, stocks[i], j)
			if err != nil {
				return s, err
			}
			for _, f := range files {
				if !f.empty {
					s.reach(f.first, f.last)
				}
			}
		}
	}
	return s, ctx.Err()
}

// has tells whether a time is among those of lines that are known.
func (s *Stats) has(ns int64) bool {
	t := nsTime(ns)
	return !s.First.IsZero() && !t.Before(s.First) && !t.After(s.Last)
}

// reach takes note of the time of lines.
func (s *Stats) reach(first, last int64) {
	if first := nsTime(first); s.First.IsZero() || first.Before(s.First) {
		s.First = first
	}
	if last := nsTime(last); last.After(s.Last) {
		s.Last = last
	}
}

// addListed counts chunks of a manifest.
func (s *Stats) addListed(t *totals) {
	s.Chunks += t.chunks
	s.Listed += t.chunks
	s.Blocks += t.blocks
	s.Bytes += t.size
	s.RawBytes += t.raw
	s.Lines += t.lines
	s.Records += t.records
}

func (s *Stats) add(f *file) {
	if f.kind == kindSegment {
		s.Segments++
	} else {
		s.Chunks++
	}
	s.Blocks += int(f.blocks)
	s.Bytes += f.size
	s.RawBytes += f.raw
	s.Lines += f.lines
	s.Records += f.records
	if !f.empty {
		s.reach(f.first, f.last)
	}
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

// Verify reads everything that lies in a blob store: each manifest, directory, filter and block is checked
// against its checksum, and blocks are decoded. It opens no archive and changes nothing, so it may
// run beside a server; files that vanish meanwhile are left out. Damage is in the report; an error ends it early.
func Verify(ctx context.Context, blobs Blobs) (Report, error) {
	var r Report
	for info, err := range files(ctx, blobs) {
		if err != nil {
			return r, err
		}
		get := func(ctx context.Context, off, n int64) ([]byte, error) { return blobs.Get(ctx, info.Name, off, n) }
		err := r.file(ctx, info, get)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return r, fmt.Errorf("verify %s: %w", info.Name, err)
		}
		r.Files++
		r.Bytes += info.Size
	}
	return r, nil
}

// files lists segments, chunks and manifests.
func files(ctx context.Context, blobs Blobs) iter.Seq2[BlobInfo, error] {
	return func(yield func(BlobInfo, error) bool) {
		for _, folder := range []string{segmentFolder, chunkFolder, manifestFolder} {
			for info, err := range blobs.List(ctx, folder) {
				if err != nil {
					err = fmt.Errorf("list %s: %w", folder, err)
				}
				if !yield(info, err) || err != nil {
					return
				}
			}
		}
	}
}

// manifest checks one manifest.
func (r *Report) manifest(ctx context.Context, info BlobInfo, get ranger) error {
	m, err := readManifest(ctx, info.Name, info.Size, get)
	if err != nil {
		return r.note(info, err)
	}
	if err := r.header(ctx, info, kindManifest, get); err != nil {
		return err
	}
	if err := m.eachPage(ctx, get, func([]listedKey) {}); err != nil {
		if err := r.note(info, fmt.Errorf("byte ranges: %w", err)); err != nil {
			return err
		}
	}
	for i := range m.shelves {
		if err := m.checkShelf(ctx, i, get); err != nil {
			if err := r.note(info, fmt.Errorf("shelf %d: %w", i, err)); err != nil {
				return err
			}
		}
	}
	return nil
}

// checkShelf reads all that belongs to a shelf.
func (m *manifest) checkShelf(ctx context.Context, i int, get ranger) error {
	s, err := readShelf(ctx, m, i, get)
	if err != nil {
		return err
	}
	raw, err := readPacked(ctx, s.plan, get)
	if err == nil {
		_, err = decodePlan(raw, len(s.files))
	}
	if err != nil {
		return fmt.Errorf("plan: %w", err)
	}
	if raw, err = readPacked(ctx, s.filters, get); err == nil {
		_, err = decodeFilterTables(raw, s.files)
	}
	if err != nil {
		return fmt.Errorf("filters: %w", err)
	}
	return nil
}

// file checks one file.
func (r *Report) file(ctx context.Context, info BlobInfo, get ranger) error {
	if strings.HasPrefix(info.Name, manifestFolder) {
		return r.manifest(ctx, info, get)
	}
	d, err := readDirectory(ctx, info.Size, get)
	if err != nil {
		return r.note(info, err)
	}
	if err := r.header(ctx, info, d.kind, get); err != nil {
		return err
	}
	for i := range d.filters.slices {
		if err := d.filters.readSlices(ctx, i, i, get, func(int, []byte) {}); err != nil {
			if err := r.note(info, err); err != nil {
				return err
			}
		}
	}
	for i := range d.blocks {
		r.Blocks++
		data, err := readPart(ctx, d.blocks[i].part, get)
		if err == nil {
			if _, err = decodeBlock(data, len(d.keys)); err != nil {
				err = fmt.Errorf("offset %d: %w", d.blocks[i].off, err)
			}
		}
		if err != nil {
			if err := r.note(info, fmt.Errorf("block %d: %w", i, err)); err != nil {
				return err
			}
		}
	}
	return nil
}

// header checks the first bytes of a file.
func (r *Report) header(ctx context.Context, info BlobInfo, k kind, get ranger) error {
	if err := checkHeader(ctx, k, version, get); err != nil {
		return r.note(info, err)
	}
	return nil
}

// note takes down damage; any other error is given back.
func (r *Report) note(info BlobInfo, err error) error {
	if !errors.Is(err, errCorrupt) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	r.Findings = append(r.Findings, Finding{File: info.Name, Error: err.Error()})
	return nil
}

// StatsOf counts what lies in a blob store, without opening it as an archive: Segments that a chunk
// replaces are Garbage. It changes nothing.
func StatsOf(ctx context.Context, blobs Blobs) (Stats, error) {
	var s Stats
	var all []*file
	there, replaced, listed := map[string]bool{}, map[string]bool{}, map[string]bool{}
	for info, err := range files(ctx, blobs) {
		if err != nil {
			return s, err
		}
		get := func(ctx context.Context, off, n int64) ([]byte, error) { return blobs.Get(ctx, info.Name, off, n) }
		var d *directory
		if strings.HasPrefix(info.Name, manifestFolder) {
			if err = namesOf(ctx, info, get, listed); err == nil {
				s.Manifests++
				continue
			}
		} else {
			d, err = readDirectory(ctx, info.Size, get)
		}
		switch {
		case errors.Is(err, errCorrupt):
			s.Damaged++
			continue
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return s, fmt.Errorf("read %s: %w", info.Name, err)
		}
		f := newFile(info.Name, info.Size, d)
		f.replaces = nil
		all = append(all, f)
		if d.kind == kindSegment {
			there[info.Name] = true
		}
		for _, name := range d.replaces { // most are long gone
			if there[name] || strings.HasPrefix(name, chunkFolder) {
				replaced[name] = true
			}
		}
	}
	for _, f := range all {
		if replaced[f.name] {
			s.Garbage++
			continue
		}
		s.add(f)
		if listed[f.name] {
			s.Listed++
		}
	}
	return s, nil
}

// namesOf adds the names of what a manifest lists.
func namesOf(ctx context.Context, info BlobInfo, get ranger, names map[string]bool) error {
	m, err := readManifest(ctx, info.Name, info.Size, get)
	if err != nil {
		return err
	}
	for i := range m.shelves {
		sh, err := readShelf(ctx, m, i, get)
		if err != nil {
			return err
		}
		for j := range sh.files {
			names[sh.files[j].name] = true
		}
	}
	return nil
}

// Verify is the function Verify for the archive's blob store.
func (a *Archive) Verify(ctx context.Context) (Report, error) { return Verify(ctx, a.blobs) }
