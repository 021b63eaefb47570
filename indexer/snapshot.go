package indexer

import (
	"bytes"
	"fmt"
	"sync"

	"github.com/klauspost/compress/zstd"

	"lastnight/clusterer"
)

// A clusterer's snapshot is kept compressed: it is a tenth as large then, and there is one for each workload.

// maxSnapshot bounds a snapshot, in bytes, decompressed.
const maxSnapshot = 256 << 20

// zstdMagic is what compressed snapshots begin with; those of older versions do not.
var zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}

// snapshotPackers are shared: making one costs more than packing a snapshot.
var snapshotPackers = sync.OnceValues(func() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(1<<20))
})

var snapshotUnpackers = sync.OnceValues(func() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxSnapshot), zstd.WithDecoderLowmem(true))
})

func packSnapshot(raw []byte) ([]byte, error) {
	z, err := snapshotPackers()
	if err != nil {
		return nil, fmt.Errorf("compress snapshot: %w", err)
	}
	return z.EncodeAll(raw, nil), nil
}

// restore gives a clusterer what it was when the snapshot was packed. What is damaged is clusterer.ErrCorrupt.
func restore(c *clusterer.Clusterer, packed []byte) error {
	if bytes.HasPrefix(packed, zstdMagic) {
		z, err := snapshotUnpackers()
		if err != nil {
			return fmt.Errorf("decompress snapshot: %w", err)
		}
		if packed, err = z.DecodeAll(packed, nil); err != nil {
			return fmt.Errorf("%w: decompress: %w", clusterer.ErrCorrupt, err)
		}
	}
	return c.Restore(bytes.NewReader(packed))
}
