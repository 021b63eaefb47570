package recorded

import (
	"slices"
	"time"
)

// Shift says which night the recorded failures are moved to.
type Shift struct {
	Now  time.Time      // everything happened before it
	Zone *time.Location // the reader's: the night is 18:00 to 08:00 there; nil is UTC
}

// Played is a case as Replay places it.
type Played struct {
	Case string
	Job  string        // what to ask about
	At   time.Time     // when the failure happened, in the reader's zone
	By   time.Duration // how far the recording was moved, whole seconds
}

// played is how one recording is used. The times are those of the recording, UTC.
type played struct {
	name, job    string
	fails        time.Time // the failure's first sign
	end          time.Time // what is later belongs to the recorder's clearing up
	hour, minute int       // of the night when it fails
}

// recordedDay is the one day on which all cases were recorded.
const recordedDay = "2026-11-21"

func at(hour, minute, second int) time.Time {
	return time.Date(2026, time.November, 21, hour, minute, second, 0, time.UTC)
}

// program is the night, in order. The healthy job is moved with the main case:
// both recordings have the same pod.
func program() []played {
	return []played{
		{"checkpoint-timeout", "inventory-projection", at(11, 58, 23), at(11, 59, 24), 19, 40},
		{"planned-upgrade", "price-history", at(13, 10, 19), at(13, 11, 29), 21, 15},
		{"bad-record", "invoice-import", at(11, 57, 3), at(11, 57, 38), 23, 12},
		{"jm-sigkill", "ledger-rollup", at(11, 59, 45), at(12, 0, 47), 0, 20},
		{"upstream-down", "fx-rates-join", at(12, 2, 37), at(12, 3, 24), 1, 5},
		{"tm-oomkilled", "clickstream-sessions", at(11, 54, 46), at(11, 55, 33), 3, 7},
		{"healthy-rotation", "shop-metrics", at(11, 54, 46), at(12, 2, 0), 3, 7},
		{"image-pull", "coupons-engine", at(11, 54, 57), at(11, 56, 24), 4, 45},
		{"checkpoint-dir-readonly", "returns-ledger", at(12, 4, 26), at(12, 5, 12), 5, 30},
	}
}

// nightStart is 18:00 of last night in the zone of now: of the night in progress
// before 08:00, else of the one just past.
func nightStart(now time.Time) time.Time {
	y, m, d := now.Date()
	return time.Date(y, m, d-1, 18, 0, 0, 0, now.Location())
}

// Plan tells when Replay lets each case happen, in order of time. It depends on
// nothing but s.
func Plan(s Shift) []Played {
	zone := s.Zone
	if zone == nil {
		zone = time.UTC
	}
	now := s.Now.In(zone)
	start := nightStart(now)
	latest := now.Add(-time.Minute) // every recording ends before it
	parts := program()
	squeeze := 1.0 // below 1 when the night is too young for the whole program
	wanted := make([]time.Duration, len(parts))
	for i, p := range parts {
		y, m, d := start.Date()
		if p.hour < 18 {
			d++
		}
		wanted[i] = time.Date(y, m, d, p.hour, p.minute, 0, 0, zone).Sub(start)
		if room := latest.Sub(start) - p.end.Sub(p.fails.Truncate(time.Minute)); room < wanted[i] {
			squeeze = min(squeeze, float64(room)/float64(wanted[i]))
		}
	}
	var plan []Played
	for i, p := range parts {
		minute := start.Add(time.Duration(squeeze * float64(wanted[i]))).Truncate(time.Minute)
		by := minute.Sub(p.fails.Truncate(time.Minute)) // seconds stay as recorded
		plan = append(plan, Played{Case: p.name, Job: p.job, At: p.fails.Add(by).In(zone), By: by})
	}
	slices.SortStableFunc(plan, func(a, b Played) int { return a.At.Compare(b.At) })
	return plan
}
