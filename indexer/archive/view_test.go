package archive

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"lastnight"
	"lastnight/query"
)

// columnBlock makes a block of rows in columns, whatever its size.
func columnBlock(t testing.TB, rows []row) map[sectionID]stored {
	t.Helper()
	tl, err := newTools()
	if err != nil {
		t.Fatal(err)
	}
	tl.words.reset()
	tl.cols.encode(rows, &tl.words)
	stored, err := sections(packedColumns(tl, codecZstd))
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

// plainBlock makes a block of rows in the plain layout.
func plainBlock(t testing.TB, rows []row) map[sectionID]stored {
	t.Helper()
	tl, err := newTools()
	if err != nil {
		t.Fatal(err)
	}
	stored, err := sections(tl.z.pack(nil, tl.plain.encode(rows), codecS2))
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

// layouts make a block of rows.
var layouts = map[string]func(testing.TB, []row) map[sectionID]stored{"columns": columnBlock, "plain": plainBlock}

// TestViewRecords: records put together one by one, in any order, are those of the whole block.
func TestViewRecords(t *testing.T) {
	for name, block := range layouts {
		t.Run(name, func(t *testing.T) { viewRecords(t, block) })
	}
}

func viewRecords(t *testing.T, block func(testing.TB, []row) map[sectionID]stored) {
	t.Helper()
	for seed := range uint64(15) {
		r := rand.New(rand.NewPCG(seed, 3))
		rows := randomRows(r, 1+r.IntN(1500))
		stored := block(t, rows)
		if seed%3 == 0 { // as in files from before there were marks
			delete(stored, secMarks)
			delete(stored, secClasses)
			delete(stored, secFixed)
		}
		if seed%2 == 0 { // as in files from before there were sums
			delete(stored, secSums)
		}
		v, err := openView(stored, 3, &slabs{})
		if err != nil {
			t.Fatal(err)
		}
		if err := v.loadLines(); err != nil {
			t.Fatal(err)
		}
		for range 300 {
			i := r.IntN(len(rows))
			want := withoutParts(*rows[i].rec)
			got, err := v.record(i)
			if err != nil {
				t.Fatal(err)
			}
			for j := range got.Lines {
				if got.Lines[j].Offset, err = v.offset(v.rowFirst[i] + int32(j)); err != nil {
					t.Fatal(err)
				}
			}
			if diff := cmp.Diff(want, *got, cmpopts.EquateEmpty()); diff != "" {
				t.Fatalf("seed %d, record %d: %s", seed, i, diff)
			}
		}
	}
}

func withoutParts(r lastnight.Record) lastnight.Record {
	lines := make([]lastnight.Line, len(r.Lines))
	copy(lines, r.Lines)
	for i := range lines {
		lines[i].Parts = nil
	}
	r.Lines = lines
	return r
}

// TestNeedLosesNothing: what a query matches has what it needs, in shapes and columns as in texts.
func TestNeedLosesNothing(t *testing.T) {
	queries := []string{
		`took`, `"took 15 ms"`, `*11*`, `*ar*`, `level:INFO`, `level>=warn or /1/`, `exception:E`, `template:1 and INFO`, `not took`, `(host or blk_) level:error`,
		`/-?16/`, `/blk_-1608/`, `/ms$/`, `/(?i)INFO|host/`, `/Mar .1/`, `/00:00:00.12/`, `/[0-9]+ ms/`, `/3-01 00/`, `/50010/`, `/\xff/`, `/日本/`, `/a1b2.*89ab/`,
		`/line [12]/`, `/k\.go/`, `/(abc|INFO) +\[/`, `/x{2,}/`, `ｶﾅ`, `k`, `dfs`, `/000 143/`, `host.sshd`, `/-4abc-8/`, `*b2c3*`, `pod:p and took`, `/./`, `/\//`, `"2026-03-01"`, `/1:50/`, `/9ab2026/`,
		`"info main"`, `"took 1"`, `"ms for"`, `"01 00 00"`, `"2026 03 01"`, `"for blk"`, `"x y"`, `"at com"`,
		`/[0-9]{3}[12]{2}/`, `/\b[a-f]+[0-9]/`, `/^20/`, `/\d\d:\d\d:\d\d[.,][0-9]{3} [A-Z]/`, `/[0-9]$/`, `/took \d+/`, `/^\S+ \S+ /`, `/Ja|Fe|Mar/`, `/[^ -~]/`, `/\.\d+\.\d+/`, `/(INFO|WARN).*[0-9]+/`,
	}
	for name, block := range layouts {
		t.Run(name, func(t *testing.T) { needLosesNothing(t, queries, block) })
	}
}

func needLosesNothing(t *testing.T, queries []string, block func(testing.TB, []row) map[sectionID]stored) {
	t.Helper()
	for seed := range uint64(4) {
		r := rand.New(rand.NewPCG(seed, 4))
		rows := randomRows(r, 250)
		stored := block(t, rows)
		for _, text := range queries {
			node, err := query.Parse(text)
			if err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			need := NeedOf(node)
			v, err := openView(stored, 3, &slabs{})
			if err != nil {
				t.Fatal(err)
			}
			set, err := v.rowsWith(need.cond, rowSet{all: true})
			if err != nil {
				t.Fatal(err)
			}
			e := &streamEntry{stream: &lastnight.Stream{Pod: "p"}}
			for i := range rows {
				d := document(e, rows[i].rec)
				if !query.Match(node, &d) {
					continue
				}
				if !set.has(i) || !need.cond.mayRecord(rows[i].rec) || need.cond.levels()&(1<<rows[i].rec.Level) == 0 {
					t.Errorf("seed %d: %s is not looked for in %q (set %v, record %v)", seed, text, d.Text, set.has(i), need.cond.mayRecord(rows[i].rec))
				}
				var words wordSet
				words.reset()
				for _, l := range rows[i].rec.Lines {
					addWords(&words, l.Text)
				}
				for _, h := range need.hashes() {
					if !mayHave(filterOf(&words), h) {
						t.Errorf("%s needs a word that %q lacks", text, d.Text)
					}
				}
			}
			if need.cond.mayStream(&streamEntry{stream: &lastnight.Stream{Pod: "other"}}) == (text == `pod:p and took`) {
				t.Errorf("%s: streams", text)
			}
		}
	}
}

// TestNeedPrunes: what certainly is not there is not looked at.
func TestNeedPrunes(t *testing.T) {
	rows := make([]row, 0, 500)
	for i := range 500 {
		text := fmt.Sprintf("2026-03-01 00:00:%02d INFO [main] took %d ms for blk_-%d", i%60, i*7919%1000, i*104729)
		rows = append(rows, row{0, &lastnight.Record{Level: lastnight.LevelInfo, Lines: []lastnight.Line{{Time: 1_772_323_200e9 + int64(i)*1e9, Offset: int64(i) * 200, Text: []byte(text)}}}})
	}
	for name, block := range layouts {
		t.Run(name, func(t *testing.T) { needPrunes(t, rows, block(t, rows)) })
	}
}

func needPrunes(t *testing.T, rows []row, stored map[sectionID]stored) {
	t.Helper()
	for text, most := range map[string]int{`/req-0dd5/`: 0, `WARN`: 0, `/blk_-1047290 /`: 0, `level:ERROR`: 0, `/took 9abc/`: 0, `*x7*`: 0, `/ms for blk/`: 500, `*47290*`: 40} {
		node, err := query.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		v, err := openView(stored, 1, &slabs{})
		if err != nil {
			t.Fatal(err)
		}
		set, err := v.rowsWith(NeedOf(node).cond, rowSet{all: true})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for i := range rows {
			if set.has(i) {
				n++
			}
		}
		if n > most {
			t.Errorf("%s looks at %d of %d records, want at most %d", text, n, len(rows), most)
		}
	}
}
