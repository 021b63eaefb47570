// Package dfa tells quickly whether a text has a match of a regular expression (RE2 syntax, as package regexp).
//
// It walks a deterministic automaton whose states are made when they are first reached (Thompson 1968, as in RE2's
// DFA), one table look-up a byte, where package regexp steps through sets. And a text may come in pieces, so
// that many texts which have pieces in common are not walked again and again: that is why it exists.
//
// It knows neither where a match is nor what its groups are. Where an expression needs more states than
// maxStates it gives up and says so; whoever asks then uses package regexp. So memory is bounded (2 MB) and
// each byte costs at most one new state.
package dfa

import (
	"encoding/binary"
	"fmt"
	"regexp/syntax"
	"slices"
	"unicode/utf8"
)

// State is where a walk stands. States are those of one DFA and mean nothing to another.
type State int32

const (
	// Matched is for ever: the text so far has a match.
	Matched State = 1
	// GaveUp is for ever: the expression needs too many states.
	GaveUp State = 2

	// First is the first of the other states.
	First State = 3

	maxStates = 4096
	// maxOthers is how many steps over characters beyond ASCII are remembered; a power of two.
	maxOthers = 1 << 12
)

// What came before a state, as far as it matters.
const (
	afterNothing = 0
	afterWord    = 1
	afterOther   = 2
)

// DFA is the automaton of one expression. It is not safe for concurrent use.
type DFA struct {
	prog   *syntax.Prog
	begins bool // whether it asks for the beginning of the text
	words  bool // whether it asks for the bounds of words
	states []state
	ids    map[string]State
	next   []State // by state and byte below 128; 0: not yet known
	others []other // steps over other characters, each where its hash says; the last one stays. nil: none yet
	start  State

	// scratch of step
	seen  []bool
	stack []uint32
	out   []uint32
	key   []byte
}

// other is a step over a character beyond ASCII.
type other struct {
	from, to State // from 0: nothing
	r        rune
}

type state struct {
	pcs    []uint32 // sorted
	before int
	ends   int8 // whether it matches at the end of the text: 0 not known, 1 yes, -1 no
}

// New makes the automaton of an expression.
func New(expr string) (*DFA, error) {
	tree, err := syntax.Parse(expr, syntax.Perl)
	if err != nil {
		return nil, fmt.Errorf("parse %q: %w", expr, err)
	}
	prog, err := syntax.Compile(tree.Simplify())
	if err != nil {
		return nil, fmt.Errorf("compile %q: %w", expr, err)
	}
	d := &DFA{prog: prog, ids: map[string]State{}, states: make([]state, First), next: make([]State, First<<7), seen: make([]bool, len(prog.Inst))}
	for i := range prog.Inst {
		if in := &prog.Inst[i]; in.Op == syntax.InstEmptyWidth {
			op := syntax.EmptyOp(in.Arg)
			d.begins = d.begins || op&(syntax.EmptyBeginText|syntax.EmptyBeginLine) != 0
			d.words = d.words || op&(syntax.EmptyWordBoundary|syntax.EmptyNoWordBoundary) != 0
		}
	}
	before := afterOther
	if d.begins {
		before = afterNothing
	}
	d.start = d.state([]uint32{uint32(prog.Start)}, before)
	return d, nil
}

// Start is where each text begins.
func (d *DFA) Start() State { return d.start }

// Step walks over a piece of text, which must not end within a character. A newline ends a text and begins another:
// each line is matched by itself.
func (d *DFA) Step(s State, text []byte) State {
	next := d.next
	for i := 0; i < len(text) && s >= First; i++ {
		c := text[i]
		if c < utf8.RuneSelf {
			if n := next[int(s)<<7|int(c)]; n != 0 {
				s = n
				continue
			}
			n := d.step(s, rune(c))
			next = d.next // which may have grown
			next[int(s)<<7|int(c)] = n
			s = n
			continue
		}
		r, n := utf8.DecodeRune(text[i:])
		s = d.over(s, r)
		next = d.next
		i += n - 1
	}
	return s
}

// Ends tells whether a text that ends here has a match. Of a walk that gave up it says yes.
func (d *DFA) Ends(s State) bool {
	if s < First {
		return true
	}
	if d.states[s].ends == 0 {
		_, matched := d.closure(&d.states[s], -1)
		d.states[s].ends = -1
		if matched {
			d.states[s].ends = 1
		}
	}
	return d.states[s].ends > 0
}

// May tells whether a text may have a match: certainly, unless the walk gave up.
func (d *DFA) May(text []byte) bool { return d.Ends(d.Step(d.start, text)) }

// Reach adds to the states all those that one may come to with up to limit of the bytes, which are below 128,
// at least one of them. It is Matched or GaveUp alone if one of these can be reached.
func (d *DFA) Reach(from []State, alphabet []byte, limit int) []State {
	const many = 256
	seen := map[State]bool{}
	out, edge := []State(nil), from
	for ; len(edge) > 0 && limit > 0; limit-- {
		var next []State
		for _, s := range edge {
			if s < First {
				return []State{s}
			}
			for _, c := range alphabet {
				n := d.Step(s, []byte{c})
				if n < First {
					return []State{n}
				}
				if !seen[n] {
					seen[n] = true
					next = append(next, n)
				}
			}
		}
		if out = append(out, next...); len(out) > many {
			return []State{GaveUp}
		}
		edge = next
	}
	return out
}

// over is step for a character beyond ASCII, of which the last ones are remembered.
func (d *DFA) over(s State, r rune) State {
	if d.others == nil {
		d.others = make([]other, maxOthers)
	}
	o := &d.others[(uint32(r)*0x9e3779b1+uint32(s)*0x85ebca6b)>>20&(maxOthers-1)]
	if o.from != s || o.r != r {
		*o = other{from: s, to: d.step(s, r), r: r}
	}
	return o.to
}

// step gives the state after a character.
func (d *DFA) step(s State, r rune) State {
	if r == '\n' {
		if d.Ends(s) {
			return Matched
		}
		return d.start
	}
	runes, matched := d.closure(&d.states[s], r)
	if matched {
		return Matched
	}
	d.out = append(d.out[:0], uint32(d.prog.Start))
	for _, pc := range runes {
		if in := &d.prog.Inst[pc]; in.MatchRune(r) {
			d.out = append(d.out, in.Out)
		}
	}
	slices.Sort(d.out)
	before := afterOther
	if d.words && syntax.IsWordChar(r) {
		before = afterWord
	}
	return d.state(slices.Compact(d.out), before)
}

// closure gives the instructions that wait for a character in a state before r, or tells that it
// matches there; r is -1 at the end of the text.
func (d *DFA) closure(s *state, r rune) (runes []uint32, matched bool) {
	return d.closureUnder(s.pcs, syntax.EmptyOpContext([]rune{-1, 'a', ' '}[s.before], r))
}

// closureUnder is closure where one knows what holds between the characters.
func (d *DFA) closureUnder(pcs []uint32, flags syntax.EmptyOp) (runes []uint32, matched bool) {
	clear(d.seen)
	d.stack = append(d.stack[:0], pcs...)
	for len(d.stack) > 0 {
		pc := d.stack[len(d.stack)-1]
		d.stack = d.stack[:len(d.stack)-1]
		if d.seen[pc] {
			continue
		}
		d.seen[pc] = true
		switch in := &d.prog.Inst[pc]; in.Op {
		case syntax.InstAlt, syntax.InstAltMatch:
			d.stack = append(d.stack, in.Out, in.Arg)
		case syntax.InstCapture, syntax.InstNop:
			d.stack = append(d.stack, in.Out)
		case syntax.InstEmptyWidth:
			if syntax.EmptyOp(in.Arg)&^flags == 0 {
				d.stack = append(d.stack, in.Out)
			}
		case syntax.InstMatch:
			return nil, true
		case syntax.InstRune, syntax.InstRune1, syntax.InstRuneAny, syntax.InstRuneAnyNotNL:
			runes = append(runes, pc)
		case syntax.InstFail:
		}
	}
	return runes, false
}

// state gives the number of a state, making it if it is new.
func (d *DFA) state(pcs []uint32, before int) State {
	d.key = append(d.key[:0], byte(before))
	for _, pc := range pcs {
		d.key = binary.LittleEndian.AppendUint32(d.key, pc)
	}
	if s, ok := d.ids[string(d.key)]; ok {
		return s
	}
	if len(d.states) >= maxStates {
		return GaveUp
	}
	if _, matched := d.closureUnder(pcs, 0); matched { // whatever follows
		d.ids[string(d.key)] = Matched
		return Matched
	}
	s := State(len(d.states))
	d.ids[string(d.key)] = s
	d.states = append(d.states, state{pcs: slices.Clone(pcs), before: before})
	d.next = append(d.next, make([]State, 1<<7)...)
	return s
}
