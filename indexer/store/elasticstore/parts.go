package elasticstore

import (
	"cmp"
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/cespare/xxhash/v2"

	"lastnight"
	"lastnight/indexer/store/terms"
)

// shortTerm is a value as a term: a long one only by its beginning.
func shortTerm(v string) string {
	v = strings.ToValidUTF8(v, "\ufffd")
	return strings.ToValidUTF8(v[:min(len(v), terms.MaxValue)], "")
}

// partsOf groups counts by part and gives the first and last minute of all (of none: 1970).
func partsOf(source string, counts []lastnight.TemplateCount) (parts [maxParts]*part, first, last int64) {
	type series struct{ namespace, job, template, level string }
	var rows [maxParts]map[series][][2]int64
	for i := range counts {
		c := &counts[i]
		m := minuteOf(c.Minute)
		if i == 0 {
			first, last = m, m
		}
		first, last = min(first, m), max(last, m)
		n := xxhash.Sum64String(c.Namespace+"\x00"+c.Job) % maxParts
		if rows[n] == nil {
			rows[n] = map[series][][2]int64{}
		}
		k := series{c.Namespace, c.Job, c.Template, c.Level}
		rows[n][k] = append(rows[n][k], [2]int64{m, c.Count})
	}
	for n, of := range rows {
		if of == nil {
			continue
		}
		p := &part{Source: shortTerm(source), First: first, Last: last}
		list := make([]row, 0, len(of))
		for _, k := range slices.SortedFunc(maps.Keys(of), func(a, b series) int {
			return cmp.Or(cmp.Compare(a.namespace, b.namespace), cmp.Compare(a.job, b.job), cmp.Compare(a.template, b.template), cmp.Compare(a.level, b.level))
		}) {
			p.Jobs = append(p.Jobs, shortTerm(k.job))
			p.Templates = append(p.Templates, shortTerm(k.template))
			r := row{Namespace: k.namespace, Job: k.job, Template: k.template, Level: k.level}
			for _, mc := range of[k] {
				r.Minutes, r.Counts = append(r.Minutes, mc[0]-first), append(r.Counts, mc[1])
			}
			list = append(list, r)
		}
		p.Jobs, p.Templates = slices.Compact(p.Jobs), slices.Compact(slices.Sorted(slices.Values(p.Templates)))
		body, err := json.Marshal(list)
		if err != nil { // cannot be: strings and numbers
			continue
		}
		p.Body = string(body)
		parts[n] = p
	}
	return parts, first, last
}
