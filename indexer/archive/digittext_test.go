package archive

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
)

// TestDigitText looks for digits in numbers as they are written.
func TestDigitText(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 1))
	for text := 1; text < 10_000; text += 1 + r.IntN(1+text/20) {
		digits := strconv.Itoa(text)
		d := digitTextOf(digits)
		for i := range 300 {
			v := r.Uint64() >> r.IntN(64)
			switch i % 3 {
			case 0: // the text is in it
				v, _ = strconv.ParseUint(strconv.Itoa(r.IntN(1_000))+digits+strconv.Itoa(r.IntN(1_000_000)), 10, 64)
			case 1:
				v %= 100_000
			}
			if got, want := d.in(v), strings.Contains(strconv.FormatUint(v, 10), digits); got != want {
				t.Fatalf("%s in %d: %v", digits, v, got)
			}
		}
	}
	for _, text := range []string{"", "0", "01", "12345", "1a", "-1", "1."} {
		if digitTextOf(text) != nil {
			t.Errorf("%q is looked for as a number", text)
		}
	}
}
