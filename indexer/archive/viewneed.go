package archive

import (
	"lastnight/query"
)

// rowsWith gives those of some records that may have what is needed. It looks at shapes first,
// then at columns, and puts no line together.
func (v *view) rowsWith(c *cond, in rowSet) (rowSet, error) {
	if c == nil || in.none() {
		return in, nil
	}
	if v.plain != nil {
		return v.plainRowsWith(c, in)
	}
	if err := v.loadColumns(); err != nil {
		return in, err
	}
	switch c.kind {
	case condAnd:
		return v.rowsWithAll(c.kids, in)
	case condOr:
		var set rowSet
		for _, k := range c.kids {
			kid, err := v.rowsWith(k, in)
			if err != nil {
				return kid, err
			}
			set = set.or(kid)
		}
		return set, nil
	case condText:
		return v.rowsWithText(c, in)
	case condRecord:
		return v.rowsWithProperties(c.node, in)
	case condRegex:
		return v.rowsWithRegex(c, in)
	case condStream:
	}
	return in, nil
}

// fewLeft is how many records are not worth being looked at any closer: they are put together.
const fewLeft = 32

// rowsWithAll gives those of some records that may have all that is needed, each in one of the lines.
func (v *view) rowsWithAll(kids []*cond, in rowSet) (rowSet, error) {
	for _, k := range kids { // each looks only at what those before have left
		var err error
		if in, err = v.rowsWith(k, in); err != nil || !in.all && len(in.rows) <= fewLeft {
			return in, err
		}
	}
	return in, nil
}

// oneEach tells whether each record of the block has one line: as many bytes tell of the lines of its records as it has lines.
func (v *view) oneEach() bool { return v.stored[secLines].rawLen == v.stored[secFlags].rawLen }

func (v *view) rowsWithProperties(n query.Node, in rowSet) (rowSet, error) {
	if err := v.loadLines(); err != nil {
		return rowSet{}, err
	}
	if err := v.loadProperties(); err != nil {
		return rowSet{}, err
	}
	match := v.mem.bools.take(len(v.props.props))
	some := false
	for i := range match {
		p := &v.props.props[i]
		match[i] = query.Match(n, propertiesDocument(p.level, p.template, p.exception))
		some = some || match[i]
	}
	if !some {
		return rowSet{}, nil
	}
	out := v.mem.small.take(in.count(v.rows()))[:0]
	shapes := v.shapesMatching(match)
	for row := range in.of(v.rows()) {
		of := shapes[v.shapeOf[v.rowFirst[row]]]
		if of == someMatch {
			id, err := v.meta(row)
			if err != nil {
				return rowSet{}, err
			}
			if match[id] {
				of = allMatch
			}
		}
		if of == allMatch {
			out = append(out, int32(row))
		}
	}
	return rowSet{rows: out}, nil
}

// How many records whose first line has a shape match.
const (
	noneMatch = iota
	someMatch
	allMatch
)

// shapesMatching tells how many records of each shape have properties that match.
func (v *view) shapesMatching(match []bool) []byte {
	out := v.mem.bytes.take(len(v.shapes))
	if v.rowMeta != nil { // each record has its own
		for i := range out {
			out[i] = someMatch
		}
		return out
	}
	from := int32(0)
	for i := range out {
		matching, others := false, false
		for _, id := range v.explicit.ids[from:v.explicit.ends[i]] {
			matching, others = matching || match[id], others || !match[id]
		}
		from = v.explicit.ends[i]
		switch {
		case matching && others:
			out[i] = someMatch
		case matching:
			out[i] = allMatch
		default:
			out[i] = noneMatch
		}
	}
	return out
}
