// Package tally counts things of which the same few come again and again, mostly
// without looking into a map: hashing the keys of every log record costs more than
// parsing some of them.
package tally

// slots is how many keys a Tally remembers, a power of two.
const slots = 64

// Tally counts keys. The zero Tally counts none. Not safe for concurrent use.
type Tally[K comparable] struct {
	counts []count[K]
	index  map[K]int32   // in counts
	recent [slots]uint32 // in counts, and 1 more
}

type count[K comparable] struct {
	key K
	n   int64
}

// Add counts a key once, which is only read. slot is anything that differs for most keys that come close together.
func (t *Tally[K]) Add(k *K, slot uint) { t.AddN(k, slot, 1) }

// AddN is Add for n times at once.
func (t *Tally[K]) AddN(k *K, slot uint, n int64) {
	if i := int(t.recent[slot%slots]) - 1; i >= 0 && i < len(t.counts) && t.counts[i].key == *k {
		t.counts[i].n += n
		return
	}
	t.find(k, slot, n)
}

// find is AddN for a key that is not a recent one.
func (t *Tally[K]) find(k *K, slot uint, n int64) {
	i, ok := t.index[*k]
	if !ok {
		if t.index == nil {
			t.index = map[K]int32{}
		}
		i = int32(len(t.counts))
		t.index[*k] = i
		t.counts = append(t.counts, count[K]{key: *k})
	}
	t.recent[slot%slots] = uint32(i) + 1
	t.counts[i].n += n
}

// Len gives how many different keys there are.
func (t *Tally[K]) Len() int { return len(t.counts) }

// All yields the keys and how often they came, in the order in which they first did.
func (t *Tally[K]) All(yield func(K, int64) bool) {
	for i := range t.counts {
		if !yield(t.counts[i].key, t.counts[i].n) {
			return
		}
	}
}

// Reset forgets all keys, and keeps the memory.
func (t *Tally[K]) Reset() {
	clear(t.counts)
	clear(t.index)
	t.counts, t.recent = t.counts[:0], [slots]uint32{}
}

// SlotOf makes a slot of a string whose end tells it apart, such as an id.
func SlotOf(s string) uint {
	if len(s) < 2 {
		return 0
	}
	return uint(s[len(s)-1]) ^ uint(s[len(s)-2])<<3
}
