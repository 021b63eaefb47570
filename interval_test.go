package lastnight_test

import (
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"lastnight"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	loc, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return loc
}

func instant(t testing.TB, s string) time.Time {
	t.Helper()
	at, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		t.Fatal(err)
	}
	return at
}

func TestParseTime(t *testing.T) {
	const now = "2026-11-21T09:30:00+01:00"
	for _, c := range []struct{ in, want string }{
		{"2026-11-21T03:00:00+01:00", "2026-11-21T02:00:00Z"},
		{"2026-11-21T03:00:00.123456789Z", "2026-11-21T03:00:00.123456789Z"},
		{"2026-11-21T03:00", "2026-11-21T02:00:00Z"},
		{"2026-11-21 03:00:07", "2026-11-21T02:00:07Z"},
		{"2026-11-21", "2026-11-20T23:00:00Z"},
		{"03:00", "2026-11-21T02:00:00Z"},
		{"09:30", "2026-11-21T08:30:00Z"},
		{"09:31", "2026-11-20T08:31:00Z"},
		{"23:59:59", "2026-11-20T22:59:59Z"},
		{"now", "2026-11-21T08:30:00Z"},
		{" NOW-8h ", "2026-11-21T00:30:00Z"},
		{"now+5m", "2026-11-21T08:35:00Z"},
		{"-2h", "2026-11-21T06:30:00Z"},
		{"1d12h", "2026-11-19T20:30:00Z"},
		{"-1w", "2026-11-14T08:30:00Z"},
		{"today", "2026-11-20T23:00:00Z"},
		{"Yesterday", "2026-11-19T23:00:00Z"},
		{"last night", "2026-11-20T17:00:00Z"},
	} {
		got, err := lastnight.ParseTime(c.in, instant(t, now), zone(t, "Europe/Berlin"))
		if err != nil || !got.Equal(instant(t, c.want)) || got.Location() != time.UTC {
			t.Errorf("%q: got %v %v, want %v", c.in, got, err, c.want)
		}
	}
}

func TestParseTimeRefuses(t *testing.T) {
	for _, s := range []string{
		"", " ", "soon", "25:00", "3am", "nowish", "now-", "now8h", "--2h", "-2", "2", "2h3", "h", "2026-13-01", "2026-02-30",
		"0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1969-12-31", "2262-01-01", "-99999999999999999999h", "-291w291w999999w",
		"now+300000d", "-106000d", "\x00", "now-8h\x00", "٣:٠٠", strings.Repeat("9", 100000), strings.Repeat("1h", 50),
	} {
		got, err := lastnight.ParseTime(s, instant(t, "2026-11-21T09:30:00Z"), time.UTC)
		if lastnight.CodeOf(err) != lastnight.CodeInvalid || lastnight.HintOf(err) == "" {
			t.Errorf("%.30q: got %v %v, want an error of CodeInvalid with a hint", s, got, err)
		}
		if err != nil && len(err.Error()) > 400 {
			t.Errorf("%.30q: the error repeats too much: %d bytes", s, len(err.Error()))
		}
	}
}

func TestParseWhen(t *testing.T) {
	for _, c := range []struct{ name, in, now, zone, start, end string }{
		{"night just past", "last night", "2026-11-21T09:30:00+01:00", "Europe/Berlin", "2026-11-20T17:00:00Z", "2026-11-21T07:00:00Z"},
		{"night in progress", "last night", "2026-11-21T07:59:59+01:00", "Europe/Berlin", "2026-11-20T17:00:00Z", "2026-11-21T07:00:00Z"},
		{"at its end", "last night", "2026-11-21T08:00:00+01:00", "Europe/Berlin", "2026-11-20T17:00:00Z", "2026-11-21T07:00:00Z"},
		{"evening: still the one just past", "Last-Night", "2026-11-21T20:00:00+01:00", "Europe/Berlin", "2026-11-20T17:00:00Z", "2026-11-21T07:00:00Z"},
		{"the zone decides which day it is", "last night", "2026-11-21T08:30:00+01:00", "America/Los_Angeles", "2026-11-20T02:00:00Z", "2026-11-20T16:00:00Z"},
		{"clocks put back: 15 hours", "last night", "2026-10-25T09:00:00+01:00", "Europe/Berlin", "2026-10-24T16:00:00Z", "2026-10-25T07:00:00Z"},
		{"clocks put forward: 13 hours", "last night", "2026-03-29T09:00:00+02:00", "Europe/Berlin", "2026-03-28T17:00:00Z", "2026-03-29T06:00:00Z"},
		{"today", "today", "2026-11-21T09:30:00+01:00", "Europe/Berlin", "2026-11-20T23:00:00Z", "2026-11-21T23:00:00Z"},
		{"yesterday of 25 hours", "yesterday", "2026-10-26T09:00:00+01:00", "Europe/Berlin", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"},
		{"yesterday over new year", "yesterday", "2027-01-01T09:00:00Z", "UTC", "2026-12-31T00:00:00Z", "2027-01-01T00:00:00Z"},
		{"date", "2026-11-03", "2026-11-21T09:30:00Z", "UTC", "2026-11-03T00:00:00Z", "2026-11-04T00:00:00Z"},
		{"day without a midnight", "2018-11-04", "2026-11-21T09:30:00Z", "America/Sao_Paulo", "2018-11-04T03:00:00Z", "2018-11-05T02:00:00Z"},
		{"day with two midnights", "2026-11-01", "2026-11-21T09:30:00Z", "America/Havana", "2026-11-01T04:00:00Z", "2026-11-02T05:00:00Z"},
		{"time", "2026-11-21T03:00:00+01:00", "2026-11-21T09:30:00Z", "UTC", "2026-11-21T01:00:00Z", "2026-11-21T03:00:00Z"},
		{"time of day", "03:00", "2026-11-21T09:30:00Z", "UTC", "2026-11-21T02:00:00Z", "2026-11-21T04:00:00Z"},
		{"relative", "-8h", "2026-11-21T09:30:00Z", "UTC", "2026-11-21T01:30:00Z", "2026-11-21T09:30:00Z"},
		{"relative without a sign", "8h", "2026-11-21T09:30:00Z", "UTC", "2026-11-21T01:30:00Z", "2026-11-21T09:30:00Z"},
		{"now", "now", "2026-11-21T09:30:00Z", "UTC", "2026-11-21T08:30:00Z", "2026-11-21T10:30:00Z"},
	} {
		got, err := lastnight.ParseWhen(c.in, instant(t, c.now), zone(t, c.zone))
		want := lastnight.Interval{Start: instant(t, c.start), End: instant(t, c.end), Zone: c.zone}
		if err != nil || got != want {
			t.Errorf("%s: got %v %v, want %v", c.name, got, err, want)
		}
	}
}

func TestParseBounds(t *testing.T) {
	now := instant(t, "2026-11-21T09:30:00Z")
	for _, c := range []struct {
		start, end string
		want       lastnight.Interval
		code       lastnight.Code
	}{
		{"", "", lastnight.Interval{Zone: "UTC"}, ""},
		{"-2h", "", lastnight.Interval{Start: now.Add(-2 * time.Hour), Zone: "UTC"}, ""},
		{"", "now", lastnight.Interval{End: now, Zone: "UTC"}, ""},
		{"-2h", "-1h", lastnight.Interval{Start: now.Add(-2 * time.Hour), End: now.Add(-time.Hour), Zone: "UTC"}, ""},
		{"-1h", "-2h", lastnight.Interval{}, lastnight.CodeInvalid},
		{"now", "now", lastnight.Interval{}, lastnight.CodeInvalid},
		{"x", "now", lastnight.Interval{}, lastnight.CodeInvalid},
		{"now", "x", lastnight.Interval{}, lastnight.CodeInvalid},
	} {
		got, err := lastnight.ParseBounds(c.start, c.end, now, time.UTC)
		if got != c.want || lastnight.CodeOf(err) != c.code {
			t.Errorf("%q to %q: got %v %v, want %v %q", c.start, c.end, got, err, c.want, c.code)
		}
	}
}

func FuzzParseWhen(f *testing.F) {
	for _, s := range []string{"last night", "yesterday", "2026-11-20", "03:00", "now-8h", "-1d12h", "2026-11-21T03:00:00+01:00", "2018-11-04"} {
		f.Add(s, int64(1_795_253_400), "America/Sao_Paulo")
	}
	f.Fuzz(func(t *testing.T, s string, unix int64, name string) {
		loc, err := time.LoadLocation(name)
		if err != nil {
			loc = time.UTC
		}
		now := time.Unix(unix&(1<<32-1), 0)
		in, err := lastnight.ParseWhen(s, now, loc)
		if err != nil {
			if lastnight.CodeOf(err) != lastnight.CodeInvalid {
				t.Fatalf("%q: an error of another code: %v", s, err)
			}
			return
		}
		if !in.Start.Before(in.End) || in.Start.Year() < 1969 || in.End.Year() > 2262 {
			t.Fatalf("%q at %v in %v: %v", s, now, loc, in)
		}
		start, err := lastnight.ParseTime(s, now, loc)
		if err != nil || start.Before(in.Start) || start.After(in.End) {
			t.Fatalf("%q at %v in %v: as a time %v %v, as an interval %v", s, now, loc, start, err, in)
		}
	})
}
