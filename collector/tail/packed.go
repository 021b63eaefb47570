package tail

import (
	"context"
	"iter"

	"lastnight"
	"lastnight/collector"
)

// packed is a compressed file being read, block by block. It is read from the descriptor that was opened when
// it was found: its removal does not matter.
type packed struct {
	next func() (packedBlock, bool)
	stop func()
}

type packedBlock struct {
	gen   lastnight.Generation
	block *collector.Block
}

func (p *packed) close() {
	if p != nil {
		p.stop()
	}
}

// readPacked reads the next block of a rotated file that was compressed, from where its plain copy was left.
func (t *Tailer) readPacked(ctx context.Context, c *container, f *follow) {
	f.dirty = false
	if f.packed == nil && !t.beginPacked(ctx, c, f) {
		f.ended = f.size
		return
	}
	b, ok := f.packed.next()
	if !ok {
		f.packed.close()
		f.packed, f.ended, f.caught = nil, f.size, f.size
		t.missRest(c, f)
		return
	}
	f.gen, f.named, f.at = b.gen, true, b.block.To
	t.add(c, f, b.block)
}

// beginPacked prepares reading; false if everything in the file was read already.
func (t *Tailer) beginPacked(ctx context.Context, c *container, f *follow) bool {
	if f.file == nil && !t.reopen(c, f) {
		return false
	}
	if line, ok := collector.FirstLine(f.file); ok {
		// A plain copy that was read to its end: it need not be unpacked to know that.
		f.gen, f.named = collector.GenerationOf(line), true
		f.at = t.position(c, f.stream, f.gen)
		if size, ok := unpackedSize(f.file, f.size); ok && f.at == size {
			return false
		}
	}
	p := &packed{}
	p.next, p.stop = iter.Pull(func(yield func(packedBlock) bool) {
		r := collector.Reader{
			Redact:   t.cfg.Redact,
			NewBlock: t.blocks.get,
			Damage:   t.damage,
			Position: func(gen lastnight.Generation) int64 { return t.position(c, f.stream, gen) },
			Emit: func(gen lastnight.Generation, b *collector.Block) error {
				if !yield(packedBlock{gen, b}) {
					return context.Canceled
				}
				return nil
			},
		}
		_ = r.ReadFile(ctx, f.file, f.path) // ended by ctx or by stop: the next run reads on
	})
	f.packed = p
	return true
}
