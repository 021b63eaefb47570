// Package tally counts things of which the same few come again and again, mostly
// without looking into a map: hashing the keys of every log record costs more than
// parsing some of them.
package tally

// slots is how many keys a Tally remembers, a power of two.
const slots = 64

// Tally counts keys. The zero Tally counts none. Not safe for concurrent use.
type Tally[K comparable] struct {
	counts map[K]*int64
	recent [slots]entry[K]
}

type entry[K comparable] struct {
	key K
	n   *int64
}

// Add counts a key once, which is only read. slot is anything that differs for most keys that come close together.
func (t *Tally[K]) Add(k *K, slot uint) {
	e := &t.recent[slot%slots]
	if e.n == nil || e.key != *k {
		n := t.counts[*k]
		if n == nil {
			if t.counts == nil {
				t.counts = map[K]*int64{}
			}
			n = new(int64)
			t.counts[*k] = n
		}
		e.key, e.n = *k, n
	}
	*e.n++
}

// AddN is Add for n times at once.
func (t *Tally[K]) AddN(k *K, slot uint, n int64) {
	t.Add(k, slot)
	*t.recent[slot%slots].n += n - 1
}

// Len gives how many different keys there are.
func (t *Tally[K]) Len() int { return len(t.counts) }

// All yields the keys and how often they came, in no order.
func (t *Tally[K]) All(yield func(K, int64) bool) {
	for k, n := range t.counts {
		if !yield(k, *n) {
			return
		}
	}
}

// SlotOf makes a slot of a string whose end tells it apart, such as an id.
func SlotOf(s string) uint {
	if len(s) < 2 {
		return 0
	}
	return uint(s[len(s)-1]) ^ uint(s[len(s)-2])<<3
}
