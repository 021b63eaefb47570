package archive

import (
	"slices"

	"lastnight"
)

// The plain layout: texts one after the other, and what is known of each record as a
// few numbers that refer to a dictionary. Fast to write; segments have it, and chunks
// where columns would be larger.

// maxAttrs is the most attributes that one record may have.
const maxAttrs = 1 << 16

// stringTable numbers strings. Number 0 is "".
type stringTable struct {
	ids  map[string]int
	list []string
	buf  enc
}

func (t *stringTable) reset() {
	if t.ids == nil {
		t.ids = map[string]int{}
	}
	clear(t.ids)
	t.ids[""] = 0
	t.list = append(t.list[:0], "")
}

func (t *stringTable) id(s string) int {
	if s == "" {
		return 0
	}
	i, ok := t.ids[s]
	if !ok {
		i = len(t.list)
		t.ids[s] = i
		t.list = append(t.list, s)
	}
	return i
}

// encode gives the strings; valid until the next call.
func (t *stringTable) encode() []byte {
	t.buf.b = t.buf.b[:0]
	for _, s := range t.list[1:] {
		t.buf.str(s)
	}
	return t.buf.b
}

func decodeStrings(d *dec) ([]string, error) {
	all, size := string(d.b), len(d.b) // one piece of memory for all of them
	list := append(make([]string, 0, 64), "")
	for len(d.b) > 0 && d.err == nil {
		n, end := len(d.bytes()), size-len(d.b)
		list = append(list, all[end-n:end])
	}
	return list, d.done("dictionary")
}

// plainEncoder encodes blocks in the plain layout. Not safe for concurrent use.
type plainEncoder struct {
	cols    lineColumns
	table   stringTable
	records enc
	attrs   enc
	lengths enc
	text    []byte
}

// encode gives the sections of a block. They are valid until the next call.
func (p *plainEncoder) encode(rows []row) []section {
	p.table.reset()
	p.records.b, p.attrs.b, p.lengths.b, p.text = p.records.b[:0], p.attrs.b[:0], p.lengths.b[:0], p.text[:0]
	p.cols.encode(rows)
	for i := range rows {
		p.record(rows[i].rec)
	}
	return append(
		p.cols.sections(),
		section{id: secDict, raw: p.table.encode()}, section{id: secRecords, raw: p.records.b}, section{id: secAttrs, raw: p.attrs.b},
		section{id: secLengths, raw: p.lengths.b}, section{id: secText, raw: p.text},
	)
}

func (p *plainEncoder) record(r *lastnight.Record) {
	for i := range r.Lines {
		p.lengths.len(len(r.Lines[i].Text))
		p.text = append(p.text, r.Lines[i].Text...)
	}
	e := &p.records
	e.byte(byte(r.Level))
	e.len(p.table.id(r.Logger))
	e.len(p.table.id(r.Thread))
	e.len(p.table.id(r.Template))
	e.int(int64(r.MessageAt))
	e.byte(boolByte(r.AppTime != 0))
	if r.AppTime != 0 {
		e.int(r.AppTime - r.Lines[0].Time)
	}
	e.len(len(r.Exception))
	for _, x := range r.Exception {
		e.len(p.table.id(x))
	}
	e.byte(boolByte(r.Attrs != nil))
	encodeAttrs(&p.attrs, &p.table, r.Attrs)
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// encodeAttrs writes attributes in the order of their names, so that the same rows
// always give the same bytes.
func encodeAttrs(e *enc, t *stringTable, attrs map[string]string) {
	if attrs == nil {
		return
	}
	names := make([]string, 0, len(attrs))
	for name := range attrs {
		names = append(names, name)
	}
	slices.Sort(names)
	e.len(len(names))
	for _, name := range names {
		e.len(t.id(name))
		e.str(attrs[name])
	}
}

func decodeAttrs(d *dec, dict *dictionary) map[string]string {
	n := d.upTo(min(maxAttrs, len(d.b)))
	attrs := make(map[string]string, n)
	for range n {
		name := dict.next(d)
		attrs[name] = d.str()
	}
	return attrs
}

// decodePlain reads texts and records.
func (r *blockReader) decodePlain(set *lineSet) error {
	d, err := r.opens(secLengths, secText, secDict, secRecords, secAttrs)
	if err != nil {
		return err
	}
	lengths, text, records, attrs := d[0], d[1], d[3], d[4]
	for i := range set.lines {
		set.lines[i].Text = text.take(lengths.upTo(len(text.b)))
	}
	if err := lengths.done("lengths"); err != nil {
		return err
	}
	if err := text.done("text"); err != nil {
		return err
	}
	dict, err := openDictionary(d[2])
	if err != nil {
		return err
	}
	for i := range set.rows {
		decodeRecord(records, attrs, &dict, set.rows[i].rec)
	}
	if err := attrs.done("attributes"); err != nil {
		return err
	}
	return records.done("records")
}

func decodeRecord(d, attrs *dec, dict *dictionary, r *lastnight.Record) {
	r.Level = lastnight.Level(d.byte())
	r.Logger, r.Thread, r.Template = dict.next(d), dict.next(d), dict.next(d)
	r.MessageAt = messageAt(d.int(), r)
	if d.byte() != 0 {
		r.AppTime = r.Lines[0].Time + d.int()
	}
	for range d.count() {
		r.Exception = append(r.Exception, dict.next(d))
	}
	if d.byte() != 0 {
		r.Attrs = decodeAttrs(attrs, dict)
	}
}

// messageAt keeps a damaged number from making Record.Message panic.
func messageAt(at int64, r *lastnight.Record) int {
	return int(min(max(at, 0), int64(len(r.Lines[0].Text))))
}
