package archive

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"time"

	"lastnight"
)

// IsFile tells from the first bytes of a file whether it is a segment, a chunk or a manifest.
func IsFile(head []byte) bool {
	if len(head) < len(magicChunk) {
		return false
	}
	_, ok := kindOfMagic(head[:len(magicChunk)])
	return ok
}

// The JSON document that DumpFile writes.
type (
	dumped struct {
		Kind      string          `json:"kind"`
		Version   int             `json:"version"`
		Bytes     int64           `json:"bytes"`
		First     time.Time       `json:"arrived_first"`
		Last      time.Time       `json:"arrived_last"`
		Replaces  []string        `json:"replaces,omitempty"`
		Streams   []dumpedStream  `json:"streams"`
		Blocks    []dumpedBlock   `json:"blocks"`
		Templates []dumpedCount   `json:"templates,omitempty"`
		Minutes   []dumpedMinutes `json:"minutes,omitempty"`
	}
	dumpedStream struct {
		lastnight.Stream
		ID         lastnight.StreamID `json:"id"`
		Job        string             `json:"job"`
		Component  string             `json:"component,omitempty"`
		Generation string             `json:"generation"`
		Ranges     []dumpedRange      `json:"ranges"`
		Partial    []int64            `json:"partial_offsets,omitempty"`
	}
	dumpedRange struct {
		From    int64     `json:"from"`
		To      int64     `json:"to"`
		Lines   int64     `json:"lines"`
		Records int64     `json:"records"`
		First   time.Time `json:"first"`
		Last    time.Time `json:"last"`
	}
	dumpedBlock struct {
		Offset   int64           `json:"offset"`
		Bytes    int64           `json:"bytes"`
		Raw      int64           `json:"text_bytes"`
		Lines    int64           `json:"lines"`
		Records  int64           `json:"records"`
		First    time.Time       `json:"first"`
		Last     time.Time       `json:"last"`
		Streams  []int           `json:"streams"`
		Filter   int64           `json:"filter_bytes"`
		Damaged  string          `json:"damaged,omitempty"`
		Sections []dumpedSection `json:"sections,omitempty"`
	}
	dumpedSection struct {
		ID     int `json:"id"`
		Codec  int `json:"codec"`
		Raw    int `json:"raw_bytes"`
		Stored int `json:"bytes"`
	}
	dumpedCount struct {
		Job      string `json:"job"`
		Template string `json:"template_id"`
		Level    string `json:"level,omitempty"`
		Count    int64  `json:"count"`
	}
	dumpedManifest struct {
		Kind        string         `json:"kind"`
		Version     int            `json:"version"`
		Bytes       int64          `json:"bytes"`
		Generations int            `json:"generations"`
		Special     int            `json:"held_twice"`
		Chunks      []dumpedListed `json:"chunks"`
	}
	dumpedListed struct {
		Name    string    `json:"name"`
		Bytes   int64     `json:"bytes"`
		Raw     int64     `json:"raw_bytes"`
		Lines   int64     `json:"lines"`
		First   time.Time `json:"first"`
		Last    time.Time `json:"last"`
		Arrived time.Time `json:"arrived_first"`
		Newest  time.Time `json:"arrived_last"`
		Streams []string  `json:"streams"`
		Ranges  []string  `json:"ranges"` // stream, generation, offsets
	}
	dumpedMinutes struct {
		Job    string    `json:"job"`
		Level  string    `json:"level,omitempty"`
		Minute time.Time `json:"minute"`
		Count  int64     `json:"count"`
	}
)

// DumpFile writes what a segment or chunk says of itself as JSON: its directory and the sections
// of its blocks, not the lines; or all that a manifest says.
func DumpFile(ctx context.Context, w io.Writer, f interface {
	io.ReaderAt
	io.Seeker
},
) error {
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return fmt.Errorf("size of the file: %w", err)
	}
	return dump(ctx, w, size, rangeOf(f))
}

// Dump is DumpFile for a file of the archive.
func (a *Archive) Dump(ctx context.Context, w io.Writer, name string) error {
	size, err := a.blobs.Size(ctx, name)
	if err != nil {
		return lastnight.Errorf(lastnight.CodeNotFound, "", "no file %q in the archive: %w", name, err)
	}
	return dump(ctx, w, size, a.rangeOf(name))
}

func dump(ctx context.Context, w io.Writer, size int64, get ranger) error {
	head, err := get(ctx, 0, min(size, headerSize))
	if err != nil {
		return err
	}
	if bytes.HasPrefix(head, []byte(magicManifest)) {
		return dumpManifest(ctx, w, size, get)
	}
	d, err := readDirectory(ctx, size, get)
	if err != nil {
		return err
	}
	doc := dumped{Kind: d.kind.String(), Version: version, Bytes: size, First: nsTime(d.first), Last: nsTime(d.last), Replaces: d.replaces}
	for i := range d.keys {
		doc.Streams = append(doc.Streams, dumpKey(d, &d.keys[i]))
	}
	for i := range d.blocks {
		doc.Blocks = append(doc.Blocks, dumpBlock(ctx, d, &d.blocks[i], get))
	}
	for _, c := range d.tmpls {
		doc.Templates = append(doc.Templates, dumpedCount{d.streams[c.stream].job, c.template, c.level.String(), c.n})
	}
	for _, c := range d.counts {
		doc.Minutes = append(doc.Minutes, dumpedMinutes{d.streams[c.stream].job, c.level.String(), time.Unix(int64(c.minute)*60, 0).UTC(), int64(c.n)})
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(doc)
}

func dumpManifest(ctx context.Context, w io.Writer, size int64, get ranger) error {
	m, err := readManifest(ctx, "", size, get)
	if err != nil {
		return err
	}
	doc := dumpedManifest{Kind: kindManifest.String(), Version: version, Bytes: size, Special: len(m.special)}
	for i := range m.shelves {
		sh, err := readShelf(ctx, m, i, get)
		if err != nil {
			return fmt.Errorf("shelf %d: %w", i, err)
		}
		raw, err := readPacked(ctx, sh.plan, get)
		if err != nil {
			return fmt.Errorf("plan of shelf %d: %w", i, err)
		}
		p, err := decodePlan(raw, len(sh.files))
		if err != nil {
			return fmt.Errorf("plan of shelf %d: %w", i, err)
		}
		for j := range sh.files {
			doc.Chunks = append(doc.Chunks, dumpListed(&sh.files[j], p, j))
		}
	}
	if err := m.eachPage(ctx, get, func(keys []listedKey) {
		doc.Generations += len(keys)
		for _, k := range keys {
			for _, x := range k.extents {
				c := &doc.Chunks[k.file]
				c.Ranges = append(c.Ranges, fmt.Sprintf("%s %s %d-%d", streamID(k.stream), k.gen, x.from, x.to))
			}
		}
	}); err != nil {
		return fmt.Errorf("byte ranges: %w", err)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(doc)
}

func dumpListed(f *file, p *plan, i int) dumpedListed {
	out := dumpedListed{
		Name: f.name, Bytes: f.size, Raw: f.raw, Lines: f.lines, First: nsTime(f.first), Last: nsTime(f.last), Arrived: nsTime(f.arrived), Newest: nsTime(f.newest),
	}
	for _, s := range p.of[i] {
		out.Streams = append(out.Streams, string(streamID(p.streams[s].id)))
	}
	return out
}

func dumpKey(d *directory, k *keyEntry) dumpedStream {
	e := &d.streams[k.stream]
	out := dumpedStream{Stream: *e.stream, ID: streamID(e.id), Job: e.job, Component: e.component, Generation: k.gen.String()}
	for _, x := range k.extents {
		out.Ranges = append(out.Ranges, dumpedRange{x.from, x.to, x.lines, x.records, nsTime(x.first), nsTime(x.last)})
	}
	for _, p := range k.partials {
		out.Partial = append(out.Partial, p.off)
	}
	return out
}

func dumpBlock(ctx context.Context, d *directory, b *blockEntry, get ranger) dumpedBlock {
	out := dumpedBlock{
		Offset: b.off, Bytes: b.n, Raw: b.raw, Lines: b.lines, Records: b.records, First: nsTime(b.first), Last: nsTime(b.last),
	}
	for _, k := range b.keys {
		out.Streams = append(out.Streams, k.key)
	}
	if b.filter >= 0 {
		out.Filter = d.filters.bytesOf(b.filter)
	}
	data, err := readPart(ctx, b.part, get)
	var list map[sectionID]stored
	if err == nil {
		list, err = sections(data)
	}
	if err != nil {
		out.Damaged = err.Error()
	}
	for id, s := range list {
		out.Sections = append(out.Sections, dumpedSection{int(id), int(s.codec), s.rawLen, len(s.data)})
	}
	slices.SortFunc(out.Sections, func(x, y dumpedSection) int { return x.ID - y.ID })
	return out
}
