package archive

import (
	"bytes"
	"slices"
	"strings"

	"lastnight"
)

// What is known of a record besides its lines (level, logger, thread, where the message
// begins …) mostly follows from the shape of its first line. So a chunk has a dictionary of
// properties, in which strings that stand in the text are only pointed at, and for each
// record one number: 0 if its properties are those of the record of that shape before it.

// anchor is a place in a line's text: so many bytes after the end of its nth variable.
// Records of one shape have the same anchors however long their variables are.
type anchor struct{ n, d int }

func anchorOf(vars []piece, at int) anchor {
	n := len(vars)
	for n > 0 && vars[n-1].to > at {
		n--
	}
	if n == 0 {
		return anchor{0, at}
	}
	return anchor{n, at - vars[n-1].to}
}

// in gives the place in a text of size bytes, or false if it has none.
func (a anchor) in(vars []piece, size int) (int, bool) {
	at := a.d
	if a.n > 0 {
		if a.n > len(vars) {
			return 0, false
		}
		at += vars[a.n-1].to
	}
	return at, at >= 0 && at <= size
}

// Ways to tell a string.
const (
	refNone   = 0 // it is empty
	refText   = 1 // it stands between two anchors
	refDict   = 2 // it is in the dictionary
	refColumn = 3 // it stands in the section of attributes
)

type ref struct {
	how      byte
	from, to anchor
	s        string
}

// is tells whether the ref gives v for a record with such a first line.
func (r *ref) is(v string, text []byte, vars []piece) bool {
	switch r.how {
	case refNone:
		return v == ""
	case refText:
		b, ok := r.slice(text, vars)
		return ok && string(b) == v
	case refDict:
		return r.s == v
	}
	return true
}

func (r *ref) slice(text []byte, vars []piece) ([]byte, bool) {
	from, ok1 := r.from.in(vars, len(text))
	to, ok2 := r.to.in(vars, len(text))
	if !ok1 || !ok2 || from > to {
		return nil, false
	}
	return text[from:to], true
}

// refOf makes a ref of v, which may stand in text at or after a place.
func refOf(v string, text []byte, after int, vars []piece, otherwise byte) ref {
	if v == "" {
		return ref{}
	}
	if i := bytes.Index(text[after:], []byte(v)); i >= 0 {
		i += after
		return ref{how: refText, from: anchorOf(vars, i), to: anchorOf(vars, i+len(v))}
	}
	return ref{how: otherwise, s: v}
}

// Ways to tell the application's time.
const (
	appNone  = 0
	appStamp = 1 // it is the line's stamp
	appGiven = 2 // it stands in its own section, against the line's time
)

// properties are what records have in common.
type properties struct {
	level     lastnight.Level
	template  string
	message   anchor
	logger    ref
	thread    ref
	app       byte
	exception []string
	attrs     []attrRef
	hasAttrs  bool
}

type attrRef struct {
	name string
	ref
}

// metaEncoder encodes what is known of records. Not safe for concurrent use.
type metaEncoder struct {
	table    stringTable
	ids      map[string]int
	props    []*properties
	dict     enc
	perRec   enc
	appTimes enc
	attrs    enc
	key      enc
}

func (m *metaEncoder) begin() {
	m.table.reset()
	if m.ids == nil {
		m.ids = map[string]int{}
	}
	clear(m.ids)
	m.props = m.props[:0]
	for _, e := range []*enc{&m.dict, &m.perRec, &m.appTimes, &m.attrs} {
		e.b = e.b[:0]
	}
}

// record takes up a record whose first line has just been split, of shape s.
func (m *metaEncoder) record(r *lastnight.Record, sp *splitter, s *shapeColumns) {
	text := r.Lines[0].Text
	if s.meta >= 0 && m.props[s.meta].fits(r, text, sp, s) {
		m.perRec.len(0)
	} else {
		s.meta = m.find(r, text, sp)
		m.perRec.len(s.meta + 1)
		s.logger = fixedOf(&m.props[s.meta].logger, r.Logger, text, sp)
		s.thread = fixedOf(&m.props[s.meta].thread, r.Thread, text, sp)
	}
	p := m.props[s.meta]
	if p.app == appGiven {
		m.appTimes.int(r.AppTime - r.Lines[0].Time)
	}
	for i := range p.attrs {
		if p.attrs[i].how == refColumn {
			m.attrs.str(r.Attrs[p.attrs[i].name])
		}
	}
}

// fixed is a string of a record that has no part of a variable, so that it is the same in all lines of a shape.
type fixed struct {
	is bool
	s  string
}

// fixedOf tells whether a ref of v, made of a line that has just been split, is such a string.
func fixedOf(r *ref, v string, text []byte, sp *splitter) fixed {
	if r.how != refText || r.from.n != r.to.n || sp.tail >= 0 {
		return fixed{}
	}
	to, _ := r.to.in(sp.vars, len(text))
	if n := r.to.n; n < len(sp.vars) && to > sp.vars[n].from {
		return fixed{}
	}
	return fixed{true, v}
}

// gives is ref.is for a record of the shape that f was made for.
func (f *fixed) gives(r *ref, v string, text []byte, vars []piece) bool {
	if f.is {
		return v == f.s
	}
	return r.is(v, text, vars)
}

// fits tells whether the record, of shape s, has these properties, which its last one had.
func (p *properties) fits(r *lastnight.Record, text []byte, sp *splitter, s *shapeColumns) bool {
	at, ok := p.message.in(sp.vars, len(text))
	if !ok || at != r.MessageAt || p.level != r.Level || p.template != r.Template || p.app != appOf(r, sp) ||
		!s.logger.gives(&p.logger, r.Logger, text, sp.vars) || !s.thread.gives(&p.thread, r.Thread, text, sp.vars) ||
		!slices.Equal(p.exception, r.Exception) || p.hasAttrs != (r.Attrs != nil) || len(p.attrs) != len(r.Attrs) {
		return false
	}
	for i := range p.attrs {
		v, ok := r.Attrs[p.attrs[i].name]
		if !ok || !p.attrs[i].is(v, text, sp.vars) {
			return false
		}
	}
	return true
}

func appOf(r *lastnight.Record, sp *splitter) byte {
	switch {
	case r.AppTime == 0:
		return appNone
	case sp.stamp >= 0 && r.AppTime == sp.stampNS:
		return appStamp
	}
	return appGiven
}

// find gives the number of the record's properties, adding them if they are new.
func (m *metaEncoder) find(r *lastnight.Record, text []byte, sp *splitter) int {
	p := &properties{
		level: r.Level, template: r.Template, message: anchorOf(sp.vars, r.MessageAt),
		logger: refOf(r.Logger, text, 0, sp.vars, refDict), thread: refOf(r.Thread, text, 0, sp.vars, refDict),
		app: appOf(r, sp), exception: r.Exception, hasAttrs: r.Attrs != nil,
	}
	for name, v := range r.Attrs {
		p.attrs = append(p.attrs, attrRef{name, attrRefOf(name, v, text, sp.vars)})
	}
	slices.SortFunc(p.attrs, func(a, b attrRef) int { return strings.Compare(a.name, b.name) })
	m.key.b = m.key.b[:0]
	p.encode(&m.key, &m.table)
	id, ok := m.ids[string(m.key.b)]
	if !ok {
		id = len(m.props)
		m.ids[string(m.key.b)] = id
		m.props = append(m.props, p)
		m.dict.b = append(m.dict.b, m.key.b...)
	}
	return id
}

// attrRefOf looks for an attribute's value behind its name, so that records of one shape
// find it at the same place.
func attrRefOf(name, v string, text []byte, vars []piece) ref {
	last := name[strings.LastIndexByte(name, '.')+1:]
	if i := bytes.Index(text, []byte(`"`+last+`"`)); i >= 0 {
		return refOf(v, text, i+len(last)+2, vars, refColumn)
	}
	if v == "" {
		return ref{}
	}
	return ref{how: refColumn, s: v}
}

func (p *properties) encode(e *enc, t *stringTable) {
	e.byte(byte(p.level))
	e.len(t.id(p.template))
	p.message.encode(e)
	p.logger.encode(e, t)
	p.thread.encode(e, t)
	e.byte(p.app)
	e.len(len(p.exception))
	for _, x := range p.exception {
		e.len(t.id(x))
	}
	e.byte(boolByte(p.hasAttrs))
	e.len(len(p.attrs))
	for i := range p.attrs {
		e.len(t.id(p.attrs[i].name))
		p.attrs[i].encode(e, t)
	}
}

func (a anchor) encode(e *enc) {
	e.len(a.n)
	e.int(int64(a.d))
}

func (r *ref) encode(e *enc, t *stringTable) {
	e.byte(r.how)
	switch r.how {
	case refText:
		r.from.encode(e)
		r.to.encode(e)
	case refDict:
		e.len(t.id(r.s))
	}
}

func (m *metaEncoder) sections() []section {
	return []section{
		{id: secDict, raw: m.table.encode()},
		{id: secMeta, raw: m.dict.b},
		{id: secMetaIDs, raw: m.perRec.b},
		{id: secAppTimes, raw: m.appTimes.b},
		{id: secAttrs, raw: m.attrs.b},
	}
}

// metaDecoder gives records what metaEncoder took from them.
type metaDecoder struct {
	props    []properties
	ids      *dec
	appTimes *dec
	attrs    *dec
	last     []int             // by shape: properties of the record before, plus 1
	strings  map[string]string // strings cut from texts, shared
}

func (r *blockReader) metaDecoder(shapes int) (*metaDecoder, error) {
	d, err := r.opens(secDict, secMeta, secMetaIDs, secAppTimes, secAttrs)
	if err != nil {
		return nil, err
	}
	dict, err := decodeStrings(d[0])
	if err != nil {
		return nil, err
	}
	m := &metaDecoder{ids: d[2], appTimes: d[3], attrs: d[4], last: make([]int, shapes), strings: map[string]string{}, props: r.lists.props[:0]}
	for len(d[1].b) > 0 && d[1].err == nil {
		m.props = append(m.props, decodeProperties(d[1], dict))
	}
	r.lists.props = m.props
	return m, d[1].done("properties")
}

func decodeProperties(d *dec, dict []string) properties {
	p := properties{level: lastnight.Level(d.byte()), template: dict[d.index(len(dict))], message: decodeAnchor(d)}
	p.logger, p.thread, p.app = decodeRef(d, dict), decodeRef(d, dict), d.byte()
	for range d.count() {
		p.exception = append(p.exception, dict[d.index(len(dict))])
	}
	p.hasAttrs = d.byte() != 0
	for range d.upTo(min(maxAttrs, len(d.b))) {
		p.attrs = append(p.attrs, attrRef{dict[d.index(len(dict))], decodeRef(d, dict)})
	}
	return p
}

func decodeAnchor(d *dec) anchor {
	n := d.upTo(maxVars + 1)
	off := d.int()
	if off < -maxLine || off > maxLine {
		d.fail("place outside the line")
		off = 0
	}
	return anchor{n, int(off)}
}

func decodeRef(d *dec, dict []string) ref {
	r := ref{how: d.byte()}
	switch r.how {
	case refText:
		r.from, r.to = decodeAnchor(d), decodeAnchor(d)
	case refDict:
		r.s = dict[d.index(len(dict))]
	}
	return r
}

// record fills a record whose first line has that shape, text and pieces.
func (m *metaDecoder) record(r *lastnight.Record, shape int, text []byte, vars []piece, stampNS int64) error {
	if id := m.ids.upTo(len(m.props)); id > 0 {
		m.last[shape] = id
	}
	if m.last[shape] == 0 {
		return corruptf("record without properties")
	}
	p := &m.props[m.last[shape]-1]
	at, ok := p.message.in(vars, len(text))
	if !ok {
		return corruptf("message begins outside the line")
	}
	r.Level, r.Template, r.MessageAt, r.Exception = p.level, p.template, at, slices.Clip(p.exception)
	switch p.app {
	case appStamp:
		r.AppTime = stampNS
	case appGiven:
		r.AppTime = r.Lines[0].Time + m.appTimes.int()
	}
	if r.Logger, ok = m.string(&p.logger, text, vars); !ok {
		return corruptf("logger outside the line")
	}
	if r.Thread, ok = m.string(&p.thread, text, vars); !ok {
		return corruptf("thread outside the line")
	}
	if !p.hasAttrs {
		return nil
	}
	r.Attrs = make(map[string]string, len(p.attrs))
	for i := range p.attrs {
		if r.Attrs[p.attrs[i].name], ok = m.string(&p.attrs[i].ref, text, vars); !ok {
			return corruptf("attribute outside the line")
		}
	}
	return nil
}

// maxShared bounds the table of strings cut from texts.
const maxShared = 4096

func (m *metaDecoder) string(r *ref, text []byte, vars []piece) (string, bool) {
	switch r.how {
	case refText:
		b, ok := r.slice(text, vars)
		if s, known := m.strings[string(b)]; known {
			return s, ok
		}
		s := string(b)
		if len(m.strings) < maxShared {
			m.strings[s] = s
		}
		return s, ok
	case refDict:
		return r.s, true
	case refColumn:
		return m.attrs.str(), true
	}
	return "", true
}

func (m *metaDecoder) done() error {
	for _, d := range []*dec{m.ids, m.appTimes, m.attrs} {
		if err := d.done("properties of records"); err != nil {
			return err
		}
	}
	return nil
}
