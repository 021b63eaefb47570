package api

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-chi/chi/v5"

	"lastnight"
)

const (
	maxQueryBytes = 16 << 10 // of the whole query string
	maxValueBytes = 8 << 10  // of one parameter
	maxListValues = 64       // of a parameter that may be repeated
)

// intervalParams are read by params.interval.
var intervalParams = []string{"start", "end", "zone"}

// params reads the query parameters of one request. The first that is wrong is kept
// in err, so that a handler reads all of them and looks once. Empty values count as not given.
type params struct {
	values url.Values
	known  []string
	now    time.Time
	err    error
}

// parseParams takes the query string apart and refuses unknown parameters.
func parseParams(r *http.Request, known []string, now time.Time) (*params, error) {
	if len(r.URL.RawQuery) > maxQueryBytes {
		return nil, lastnight.Errorf(lastnight.CodeTooLarge, "ask with fewer words", "the query string has %d bytes, at most %d are read", len(r.URL.RawQuery), maxQueryBytes)
	}
	values, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "escape values as URLs do, such as %20 for a space", "the query string does not parse: %v", err)
	}
	for name, vs := range values {
		if !slices.Contains(known, name) {
			return nil, unknownParam(name, known)
		}
		for _, v := range vs {
			if err := checkText(name, v); err != nil {
				return nil, err
			}
		}
	}
	return &params{values: values, known: known, now: now}, nil
}

// onlyKnown gives the request without parameters that its route does not know.
func onlyKnown(r *http.Request, known []string) *http.Request {
	values := r.URL.Query() // what does not parse is left out as well
	for name := range values {
		if !slices.Contains(known, name) {
			delete(values, name)
		}
	}
	u := *r.URL
	u.RawQuery = values.Encode()
	r = r.WithContext(r.Context())
	r.URL = &u
	return r
}

// checkText refuses what no name, id or query of ours has.
func checkText(name, v string) error {
	switch {
	case len(v) > maxValueBytes:
		return lastnight.Errorf(lastnight.CodeTooLarge, "", "%s has %d bytes, at most %d are read", name, len(v), maxValueBytes)
	case !utf8.ValidString(v) || strings.ContainsRune(v, 0):
		return lastnight.Errorf(lastnight.CodeInvalid, "", "%s has bytes that are no text", name)
	}
	return nil
}

func unknownParam(name string, known []string) error {
	if len(known) == 0 {
		return lastnight.Errorf(lastnight.CodeInvalid, "leave it out", "unknown parameter %q: this route has none", clip(name))
	}
	best := slices.MinFunc(known, func(a, b string) int { return lastnight.Distance(clip(name), a) - lastnight.Distance(clip(name), b) })
	return lastnight.Errorf(lastnight.CodeInvalid, "did you mean "+best+"? known are "+strings.Join(known, ", "), "unknown parameter %q", clip(name))
}

// fail keeps the first error.
func (p *params) fail(hint, format string, args ...any) {
	if p.err == nil {
		p.err = lastnight.Errorf(lastnight.CodeInvalid, hint, format, args...)
	}
}

// list gives the values of a parameter that may be repeated or separated by commas.
func (p *params) list(name string) []string {
	if !slices.Contains(p.known, name) && p.err == nil {
		p.err = lastnight.Errorf(lastnight.CodeInternal, "", "handler reads the parameter %s, which it does not declare", name)
	}
	var all []string
	for _, v := range p.values[name] {
		for s := range strings.SplitSeq(v, ",") {
			if s = strings.TrimSpace(s); s != "" {
				all = append(all, s)
			}
		}
	}
	if len(all) > maxListValues {
		p.fail("", "%s has %d values, at most %d are read", name, len(all), maxListValues)
	}
	return all
}

// text gives a value, "" if it is not given.
func (p *params) text(name string) string {
	if !slices.Contains(p.known, name) && p.err == nil {
		p.err = lastnight.Errorf(lastnight.CodeInternal, "", "handler reads the parameter %s, which it does not declare", name)
	}
	vs := p.values[name]
	if len(vs) > 1 {
		p.fail("give it once", "%s is given %d times", name, len(vs))
	}
	return p.values.Get(name)
}

// integer gives a value between least and most, or fallback if it is not given.
func (p *params) integer(name string, fallback, least, most int) int {
	s := p.text(name)
	if s == "" {
		return fallback
	}
	n, err := strconv.Atoi(s)
	if err != nil || n < least || n > most {
		p.fail("", "%s=%s is not a whole number from %d to %d", name, clip(s), least, most)
		return fallback
	}
	return n
}

// boolean gives true or false, false if it is not given.
func (p *params) boolean(name string) bool {
	return p.choice(name, "false", "true") == "true"
}

// choice gives one of the values, the first if it is not given.
func (p *params) choice(name string, values ...string) string {
	s := p.text(name)
	if s == "" {
		return values[0]
	}
	if !slices.Contains(values, s) {
		p.fail("", "%s=%s is none of %s", name, clip(s), strings.Join(values, ", "))
	}
	return s
}

// restart gives the container's restart count, nil if it is not given.
func (p *params) restart() *int {
	if p.text("restart") == "" {
		return nil
	}
	n := p.integer("restart", 0, 0, 1<<31-1)
	return &n
}

// location gives the zone that times are read in.
func (p *params) location() *time.Location {
	name := p.text("zone")
	if name == "" {
		return time.UTC
	}
	loc, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		p.fail("give an IANA name such as Europe/Berlin", "unknown time zone %q", clip(name))
		return time.UTC
	}
	return loc
}

// interval gives start, end and zone; a bound that is not given is zero.
func (p *params) interval() lastnight.Interval {
	loc, start, end := p.location(), p.text("start"), p.text("end")
	in, err := lastnight.ParseBounds(start, end, p.now, loc)
	if err != nil && p.err == nil {
		p.err = err
	}
	return in
}

// position gives where a cursor stands; id is "" if none is given.
func (p *params) position() (at time.Time, id string) {
	s := p.text("cursor")
	if s == "" {
		return time.Time{}, ""
	}
	at, id, err := lastnight.ParseCursor(s)
	if err != nil && p.err == nil {
		p.err = err
	}
	return at, id
}

// pathText gives a part of the path, which chi leaves escaped if the reader escaped more than needed.
func pathText(r *http.Request, name string) (string, error) {
	s := chi.URLParam(r, name)
	if r.URL.RawPath != "" {
		var err error
		if s, err = url.PathUnescape(s); err != nil {
			return "", lastnight.Errorf(lastnight.CodeInvalid, "", "the %s in the path does not parse", name)
		}
	}
	return s, checkText(name, s)
}
