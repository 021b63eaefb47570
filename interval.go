package lastnight

import (
	"strconv"
	"strings"
	"time"
)

// Times outside of these years are refused: they cannot be told in nanoseconds since 1970.
const (
	minYear = 1970
	maxYear = 2261
)

// A night lasts from 18:00 to 08:00 on the clock of the zone, so one in which the
// clocks change is an hour longer or shorter.
const (
	nightBegins = 18
	nightEnds   = 8
)

// aroundTime is how far to both sides of a time ParseWhen looks.
const aroundTime = time.Hour

// maxTimeText caps what is read as a time.
const maxTimeText = 64

const timeHint = `try "last night", yesterday, 2026-11-20, 2026-11-21T03:00:00+01:00 or -8h`

// ParseTime reads a time as people give it, in loc where it names no zone:
//
//	2026-11-21T03:00:00+01:00           RFC 3339
//	2026-11-21T03:00  2026-11-21 03:00  with seconds or not
//	2026-11-21                          where the day begins
//	03:00  03:00:30                     the last time the clock showed it, now included
//	now  now-8h  now+5m  -8h  8h        relative, units s m h d w, as in -1d12h; 8h is 8h ago
//	today  yesterday  last night        where they begin
//
// A day (d) is 24 hours. The answer is in UTC; the error is of CodeInvalid.
func ParseTime(s string, now time.Time, loc *time.Location) (time.Time, error) {
	t, _, err := parseTime(s, now, loc)
	return t, err
}

// ParseWhen reads an interval as people give it, in loc where it names no zone:
//
//	last night         18:00 to 08:00: the night in progress before 08:00, else the one just past
//	today  yesterday   and a date: from where the day begins to where the next one does
//	-8h  now-8h  8h    from then until now
//	any other time     one hour before it to one hour after it, to find the incident around it
//
// The error is of CodeInvalid. Zone is loc's name.
func ParseWhen(s string, now time.Time, loc *time.Location) (Interval, error) {
	if in, ok := namedInterval(s, now, loc); ok {
		return in, nil
	}
	t, relative, err := parseTime(s, now, loc)
	switch {
	case err != nil:
		return Interval{}, err
	case relative && t.Before(now):
		return Interval{Start: t, End: now.UTC(), Zone: loc.String()}, nil
	}
	return Interval{Start: t.Add(-aroundTime), End: t.Add(aroundTime), Zone: loc.String()}, nil
}

// ParseBounds reads the two ends of an interval, each as ParseTime does. An empty
// one gives a zero time: no bound. An interval that is empty or runs backwards is an error of CodeInvalid.
func ParseBounds(start, end string, now time.Time, loc *time.Location) (Interval, error) {
	in := Interval{Zone: loc.String()}
	var err error
	if start != "" {
		if in.Start, err = ParseTime(start, now, loc); err != nil {
			return Interval{}, err
		}
	}
	if end != "" {
		if in.End, err = ParseTime(end, now, loc); err != nil {
			return Interval{}, err
		}
	}
	if start != "" && end != "" && !in.Start.Before(in.End) {
		return Interval{}, Errorf(CodeInvalid, "give a start before the end", "the interval from %s to %s is empty",
			in.Start.In(loc).Format(time.RFC3339), in.End.In(loc).Format(time.RFC3339))
	}
	return in, nil
}

// ParseDuration reads a length of time such as 90s, 5m, 1h30m, 7d or 2w. A day is
// 24 hours. The error is of CodeInvalid.
func ParseDuration(s string) (time.Duration, error) {
	bad := Errorf(CodeInvalid, "try 30m, 8h, 1h30m or 7d", "%q is not a length of time", clip(s))
	if s == "" || len(s) > maxTimeText {
		return 0, bad
	}
	units := map[byte]time.Duration{'s': time.Second, 'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	const limit = (maxYear - minYear) * 365 * 24 * time.Hour
	var sum time.Duration
	for s != "" {
		n := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
		if n < 1 {
			return 0, bad
		}
		unit, ok := units[s[n]]
		v, err := strconv.ParseInt(s[:n], 10, 64)
		if !ok || err != nil || time.Duration(v) > (limit-sum)/unit {
			return 0, bad
		}
		sum += time.Duration(v) * unit
		s = s[n+1:]
	}
	return sum, nil
}

// parseTime is ParseTime, and tells whether s was relative to now.
func parseTime(s string, now time.Time, loc *time.Location) (t time.Time, relative bool, err error) {
	bad := Errorf(CodeInvalid, timeHint, "%q is not a time", clip(s))
	if len(s) > maxTimeText {
		return time.Time{}, false, bad
	}
	if in, ok := namedInterval(s, now, loc); ok {
		return in.Start, false, nil
	}
	s = strings.TrimSpace(s)
	t, ok := relativeTime(s, now)
	if !ok {
		if t, ok = clockTime(s, now, loc); !ok {
			t, ok = absoluteTime(s, loc)
		}
	} else {
		relative = true
	}
	if t = t.UTC(); !ok || t.Year() < minYear || t.Year() > maxYear {
		return time.Time{}, false, bad
	}
	return t, relative, nil
}

// namedInterval knows the words and dates that stand for more than a moment.
func namedInterval(s string, now time.Time, loc *time.Location) (Interval, bool) {
	if len(s) > maxTimeText {
		return Interval{}, false
	}
	y, m, d := now.In(loc).Date()
	days := func(from, to int) (Interval, bool) {
		return Interval{Start: startOfDay(y, m, d+from, loc), End: startOfDay(y, m, d+to, loc), Zone: loc.String()}, true
	}
	switch words := strings.Join(strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return r == ' ' || r == '-' || r == '_' }), " "); words {
	case "today":
		return days(0, 1)
	case "yesterday":
		return days(-1, 0)
	case "last night", "lastnight":
		// Before 08:00 this is the night in progress, afterwards the one just past.
		return Interval{
			Start: time.Date(y, m, d-1, nightBegins, 0, 0, 0, loc).UTC(),
			End:   time.Date(y, m, d, nightEnds, 0, 0, 0, loc).UTC(),
			Zone:  loc.String(),
		}, true
	}
	date, err := time.Parse(time.DateOnly, strings.TrimSpace(s))
	if err != nil || date.Year() < minYear || date.Year() > maxYear {
		return Interval{}, false
	}
	y, m, d = date.Date()
	return days(0, 1)
}

// startOfDay gives the first moment of a day, which is not 00:00 where the clocks
// are put forward at midnight, and the first of two where they are put back to it.
func startOfDay(y int, m time.Month, d int, loc *time.Location) time.Time {
	t := time.Date(y, m, d, 0, 0, 0, 0, loc)
	want := time.Date(y, m, d, 0, 0, 0, 0, time.UTC).Day()
	if t.Day() != want {
		if _, end := t.ZoneBounds(); !end.IsZero() {
			t = end
		}
	}
	if earlier := t.Add(-time.Hour); earlier.Day() == want {
		t = earlier
	}
	return t.UTC()
}

// relativeTime reads now, now-8h, now+5m, -8h and 8h.
func relativeTime(s string, now time.Time) (time.Time, bool) {
	s = strings.ToLower(s)
	rest, fromNow := strings.CutPrefix(s, "now")
	if fromNow && rest == "" {
		return now, true
	}
	sign := time.Duration(-1)
	switch {
	case strings.HasPrefix(rest, "-"):
		rest = rest[1:]
	case strings.HasPrefix(rest, "+"):
		rest, sign = rest[1:], 1
	case fromNow:
		return time.Time{}, false
	}
	d, err := ParseDuration(rest)
	return now.Add(sign * d), err == nil
}

// clockTime reads 03:00 and 03:00:30 as the last time the clock showed it.
func clockTime(s string, now time.Time, loc *time.Location) (time.Time, bool) {
	for _, layout := range []string{"15:04", time.TimeOnly} {
		c, err := time.Parse(layout, s)
		if err != nil || len(s) != len(layout) {
			continue
		}
		y, m, d := now.In(loc).Date()
		t := time.Date(y, m, d, c.Hour(), c.Minute(), c.Second(), 0, loc)
		if t.After(now) {
			t = time.Date(y, m, d-1, c.Hour(), c.Minute(), c.Second(), 0, loc)
		}
		return t, true
	}
	return time.Time{}, false
}

// absoluteTime reads RFC 3339, and a date with a time of day in loc.
func absoluteTime(s string, loc *time.Location) (time.Time, bool) {
	if t, err := time.Parse(time.RFC3339Nano, s); err == nil {
		return t, true
	}
	for _, layout := range []string{"2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02 15:04:05", "2006-01-02 15:04"} {
		if t, err := time.ParseInLocation(layout, s, loc); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// clip keeps what an error repeats of its input short.
func clip(s string) string {
	if len(s) > maxTimeText {
		return s[:maxTimeText] + "…"
	}
	return s
}
