package indexer

import (
	"bytes"
	"fmt"

	"github.com/klauspost/compress/zstd"

	"lastnight/clusterer"
)

// A clusterer's snapshot is kept compressed: it is a tenth as large then, and there is one for each workload.

// maxSnapshot bounds a snapshot, in bytes, decompressed.
const maxSnapshot = 256 << 20

// zstdMagic is what compressed snapshots begin with; those of older versions do not.
var zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}

func packSnapshot(raw []byte) ([]byte, error) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true))
	if err != nil {
		return nil, fmt.Errorf("compress snapshot: %w", err)
	}
	return z.EncodeAll(raw, nil), nil
}

// restore gives a clusterer what it was when the snapshot was packed. What is damaged is clusterer.ErrCorrupt.
func restore(c *clusterer.Clusterer, packed []byte) error {
	if bytes.HasPrefix(packed, zstdMagic) {
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxSnapshot), zstd.WithDecoderLowmem(true))
		if err != nil {
			return fmt.Errorf("decompress snapshot: %w", err)
		}
		defer z.Close()
		if packed, err = z.DecodeAll(packed, nil); err != nil {
			return fmt.Errorf("%w: decompress: %w", clusterer.ErrCorrupt, err)
		}
	}
	return c.Restore(bytes.NewReader(packed))
}
