package archive

import (
	"errors"
	"runtime"
	"testing"
)

// TestBombs: blocks that say to be small and grow, or are made of many sections that do, are damage, and found out before
// memory is taken for them.
func TestBombs(t *testing.T) {
	tools, err := newTools()
	if err != nil {
		t.Fatal(err)
	}
	zeros := tools.z.zstd.EncodeAll(make([]byte, 200<<20), nil)
	bomb := func(sections, says int) []byte {
		var e enc
		e.len(sections)
		var body []byte
		for i := range sections {
			e.uint(uint64(secTimes) + uint64(i))
			e.byte(byte(codecZstd))
			e.len(says)
			e.len(len(zeros))
			body = append(body, zeros...)
		}
		return append(e.b, body...)
	}
	for name, block := range map[string][]byte{
		"many large sections":       bomb(40, 200<<20),
		"small sections that grow":  bomb(30, 1000),
		"sections beyond the limit": bomb(2, maxSectionBytes+1),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := decodeBlock(block, 1)
		if !errors.Is(err, errCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		stored, err := sections(block)
		for _, s := range stored {
			if _, err := s.openIn(nil); !errors.Is(err, errCorrupt) {
				t.Errorf("%s: a section opens: %v", name, err)
			}
		}
		if err != nil && !errors.Is(err, errCorrupt) {
			t.Errorf("%s: %v", name, err)
		}
		runtime.ReadMemStats(&after)
		if took := after.TotalAlloc - before.TotalAlloc; took > 32<<20 {
			t.Errorf("%s: %d MiB of memory for a block of %d KiB", name, took>>20, len(block)>>10)
		}
	}
}
