package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
)

// Measures are what the literature judges log parsers by, each in [0, 1].
//
// With N lines, G the truth's templates and P the result's groups: GA is the share of lines in
// groups that hold exactly the lines of one template of the truth; FGA, with C such groups, the
// harmonic mean of C/|P| and C/|G|; PA the share of lines whose template is the truth's, character
// for character; FTA, with T templates of the result all of whose lines have that one template in the
// truth, the harmonic mean of T/(templates of the result) and T/|G|. Groups are by id. See
// "A Large-scale Evaluation for Log Parsing Techniques: How Far are We?" (ISSTA 2024).
type Measures struct {
	GA, PA, FGA, FTA float64
	Found, True      int // groups
}

// parsed is what lastnight cluster says of a line.
type parsed struct {
	Line     int    `json:"line"`
	ID       string `json:"template_id"`
	Template string `json:"template"`
}

// measure compares results with the truth, line by line. Lines without truth do not count.
func measure(truth []string, got []parsed) (Measures, error) {
	if len(truth) != len(got) {
		return Measures{}, fmt.Errorf("%d results of %d lines", len(got), len(truth))
	}
	type group map[string]int
	add := func(m map[string]group, key, value string) {
		if m[key] == nil {
			m[key] = group{}
		}
		m[key][value]++
	}
	size := map[string]int{}
	groupsOf, truthsOf := map[string]group{}, map[string]group{}
	n, same := 0, 0
	for i, want := range truth {
		if want == "" {
			continue
		}
		n++
		size[got[i].ID]++
		add(groupsOf, want, got[i].ID)
		add(truthsOf, got[i].Template, want)
		if want == got[i].Template {
			same++
		}
	}
	if n == 0 {
		return Measures{}, fmt.Errorf("no line of the truth has a template")
	}
	exactLines, exactGroups, right := 0, 0, 0
	for _, groups := range groupsOf {
		for id, lines := range groups {
			if len(groups) == 1 && lines == size[id] {
				exactLines += lines
				exactGroups++
			}
		}
	}
	for text, truths := range truthsOf {
		if len(truths) == 1 && truths[text] > 0 {
			right++
		}
	}
	return Measures{
		GA: float64(exactLines) / float64(n), PA: float64(same) / float64(n),
		FGA: f1(exactGroups, len(size), len(groupsOf)), FTA: f1(right, len(truthsOf), len(groupsOf)),
		Found: len(size), True: len(groupsOf),
	}, nil
}

// f1 is the harmonic mean of hits/found and hits/wanted.
func f1(hits, found, wanted int) float64 {
	if hits == 0 {
		return 0
	}
	return 2 * float64(hits) / float64(found+wanted)
}

// mean is the plain mean of several sets.
func mean(ms []Measures) (m Measures) {
	for _, x := range ms {
		k := 1 / float64(len(ms))
		m.GA, m.PA, m.FGA, m.FTA = m.GA+k*x.GA, m.PA+k*x.PA, m.FGA+k*x.FGA, m.FTA+k*x.FTA
		m.Found, m.True = m.Found+x.Found, m.True+x.True
	}
	return m
}

// readTruth reads a labeled set: its messages, and their templates.
func readTruth(r io.Reader) (messages, templates []string, err error) {
	rows, err := csv.NewReader(r).ReadAll()
	if err != nil {
		return nil, nil, err
	}
	if len(rows) == 0 {
		return nil, nil, fmt.Errorf("it is empty")
	}
	content, event := slices.Index(rows[0], "Content"), slices.Index(rows[0], "EventTemplate")
	if content < 0 || event < 0 {
		return nil, nil, fmt.Errorf("want the columns Content and EventTemplate, found %q", rows[0])
	}
	for _, row := range rows[1:] {
		messages, templates = append(messages, row[content]), append(templates, row[event])
	}
	return messages, templates, nil
}

// readParsed reads the lines that lastnight cluster wrote.
func readParsed(r io.Reader) ([]parsed, error) {
	var out []parsed
	dec := json.NewDecoder(bufio.NewReader(r))
	for {
		var p parsed
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return out, nil
		} else if err != nil {
			return nil, fmt.Errorf("result %d: %w", len(out)+1, err)
		}
		if p.Line != len(out)+1 {
			return nil, fmt.Errorf("result %d is of line %d", len(out)+1, p.Line)
		}
		out = append(out, p)
	}
}
