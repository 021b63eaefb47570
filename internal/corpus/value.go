package corpus

import (
	"math/rand/v2"
	"strconv"
	"time"
)

// reuse is how often a value is one that was there a moment ago: logs tell of a thing in several lines.
const reuse = 0.6

// recent holds the last values of a kind.
type recent struct {
	values [48]string
	n      int
}

func (v *recent) next(r *rand.Rand, fresh func() string) string {
	if v.n > 0 && r.Float64() < reuse {
		return v.values[r.IntN(min(v.n, len(v.values)))]
	}
	s := fresh()
	v.values[v.n%len(v.values)] = s
	v.n++
	return s
}

// value appends a fresh value in place of the recorded one.
func (p *pod) value(b []byte, s segment, now time.Time) []byte {
	//exhaustive:enforce
	switch s.kind {
	case literal:
		return append(b, s.text...)
	case stamp:
		return now.AppendFormat(b, "2006-01-02 15:04:05,000")
	case millis:
		return strconv.AppendInt(b, now.UnixMilli(), 10)
	case job:
		return append(b, p.job...)
	case number:
		if len(s.text) <= 2 { // small numbers: parallelism, attempts, ports of nothing
			return strconv.AppendInt(b, int64(p.r.IntN(10*len(s.text)*len(s.text))), 10)
		}
		return append(b, digits(p.r, len(s.text))...)
	case hexes:
		if len(s.text) == 32 && p.r.Float64() < 0.5 {
			return append(b, p.jobID...)
		}
		return append(b, p.recent[hexes].next(p.r, func() string { return hexString(p.r, 40) })[:min(len(s.text), 40)]...)
	case uuid:
		return append(b, p.recent[uuid].next(p.r, func() string { return uuidString(p.r) })...)
	case address:
		return append(b, p.recent[address].next(p.r, func() string {
			return "10.244." + strconv.Itoa(p.r.IntN(64)) + "." + strconv.Itoa(1+p.r.IntN(254))
		})...)
	}
	return append(b, s.text...)
}

func digits(r *rand.Rand, n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte('0' + r.IntN(10))
	}
	if b[0] == '0' {
		b[0] = '7'
	}
	return string(b)
}

func hexString(r *rand.Rand, n int) string {
	const hex = "0123456789abcdef"
	b := make([]byte, n)
	for i := range b {
		b[i] = hex[r.IntN(len(hex))]
	}
	return string(b)
}

func uuidString(r *rand.Rand) string {
	h := hexString(r, 32)
	return h[:8] + "-" + h[8:12] + "-4" + h[13:16] + "-a" + h[17:20] + "-" + h[20:]
}
