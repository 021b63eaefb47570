package indexer

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/klauspost/compress/zstd"

	"lastnight"
	"lastnight/clusterer"
	"lastnight/indexer/store"
)

// dictionaryBucket is where dictionaries are kept, compressed, by their ids.
const dictionaryBucket = "clusterer-dictionary"

// Bounds, in bytes. A snapshot larger than maxSample has enough of its own to be packed by, and few of
// them would fill a dictionary.
const (
	maxSnapshot     = 256 << 20 // decompressed
	firstDictionary = 16 << 10  // each further one is twice as large
	lastDictionary  = 128 << 10 // what none is larger than, but for one sample
	maxSample       = 8 << 10
)

// knownRatio is what a snapshot shrinks to, one part of so many, if a dictionary knows its like. Alone it is one of two or three.
const knownRatio = 4

// zstdMagic is what compressed snapshots begin with.
var zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}

// snapshots packs the clusterers' snapshots for the store. There is one for each workload, most are a few KiB, and
// what they hold is much the same in many: the templates of the libraries that everybody uses. So small ones become a
// dictionary that later ones are packed with, to a third of what they would take alone. Those that it
// does not help become part of the next dictionary, which holds the one before and is twice as large, until
// lastDictionary: then what is new takes the space that it takes alone. A dictionary is never changed and never removed:
// each snapshot tells whose it is. Servers that begin at once may make one each. Safe for concurrent use.
type snapshots struct {
	store store.Exact

	mu       sync.Mutex
	looked   bool                     // whether the store had a dictionary
	samples  []byte                   // what the next one will be; begins with the one in use
	next     int                      // how long samples must be for that
	sampled  map[string]bool          // keys of the shards in samples since the last one
	plain    *zstd.Encoder            // without a dictionary; nil until it is needed
	packer   *zstd.Encoder            // with the newest; nil if there is none
	unpacker map[uint32]*zstd.Decoder // by the dictionary's id; 0: none
}

func newSnapshots(s store.Exact) *snapshots {
	return &snapshots{store: s, next: firstDictionary, sampled: map[string]bool{}, unpacker: map[uint32]*zstd.Decoder{}}
}

// pack gives what to keep of the snapshot of the shard of that key.
func (s *snapshots) pack(ctx context.Context, key string, raw []byte) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.look(ctx); err != nil {
		return nil, err
	}
	packed, err := s.packOne(raw)
	if err != nil || len(raw) > maxSample || s.next > lastDictionary || s.sampled[key] || s.packer != nil && len(packed)*knownRatio < len(raw) {
		return packed, err
	}
	s.sampled[key] = true
	s.samples = append(s.samples, raw...)
	if len(s.samples) < s.next {
		return packed, nil
	}
	if err := s.found(ctx, s.samples); err != nil {
		return nil, err
	}
	return s.packOne(raw)
}

// packOne packs as well as it can be done now. The caller holds s.mu.
func (s *snapshots) packOne(raw []byte) ([]byte, error) {
	if s.packer != nil {
		return s.packer.EncodeAll(raw, nil), nil
	}
	z, err := s.without()
	if err != nil {
		return nil, err
	}
	return z.EncodeAll(raw, nil), nil
}

// look takes the largest of the store's dictionaries, if it has one. The caller holds s.mu.
func (s *snapshots) look(ctx context.Context) error {
	if s.looked {
		return nil
	}
	var best []byte
	for item, err := range s.store.List(ctx, dictionaryBucket, "") {
		if err != nil {
			return fmt.Errorf("list dictionaries: %w", err)
		}
		words, err := s.content(ctx, item.Value)
		if err == nil && dictionaryKey(dictionaryID(words)) == item.Key && len(words) > len(best) { // else it is damaged
			best = words
		}
	}
	if best != nil {
		if err := s.use(best); err != nil {
			return err
		}
	}
	s.looked = true
	return nil
}

// found makes a dictionary and uses it from now on. The caller holds s.mu.
func (s *snapshots) found(ctx context.Context, words []byte) error {
	z, err := s.without()
	if err != nil {
		return err
	}
	if _, err := s.store.Put(ctx, dictionaryBucket, dictionaryKey(dictionaryID(words)), z.EncodeAll(words, nil), -1); err != nil {
		return fmt.Errorf("put dictionary: %w", err)
	}
	return s.use(words)
}

func (s *snapshots) use(words []byte) (err error) {
	s.packer, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(1<<20),
		zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderDictRaw(dictionaryID(words), words))
	if err != nil {
		return fmt.Errorf("compress snapshot: %w", err)
	}
	s.samples, s.plain = slices.Clip(words), nil
	for s.next <= len(words) {
		s.next *= 2
	}
	clear(s.sampled)
	return nil
}

func (s *snapshots) without() (z *zstd.Encoder, err error) {
	if s.plain == nil {
		s.plain, err = zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithLowerEncoderMem(true), zstd.WithWindowSize(1<<20))
		if err != nil {
			return nil, fmt.Errorf("compress snapshot: %w", err)
		}
	}
	return s.plain, nil
}

// restore gives a clusterer what it was when the snapshot was packed. What is damaged is clusterer.ErrCorrupt,
// and so is a snapshot whose dictionary is gone.
func (s *snapshots) restore(ctx context.Context, c *clusterer.Clusterer, packed []byte) error {
	if bytes.HasPrefix(packed, zstdMagic) {
		z, err := s.opener(ctx, packed)
		if err != nil {
			return err
		}
		if packed, err = z.DecodeAll(packed, nil); err != nil {
			return fmt.Errorf("%w: decompress: %w", clusterer.ErrCorrupt, err)
		}
	}
	return c.Restore(bytes.NewReader(packed))
}

// opener gives what decompresses a snapshot.
func (s *snapshots) opener(ctx context.Context, packed []byte) (*zstd.Decoder, error) {
	var h zstd.Header
	if err := h.Decode(packed); err != nil {
		return nil, fmt.Errorf("%w: %w", clusterer.ErrCorrupt, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.unpackerOf(ctx, h.DictionaryID)
}

// unpackerOf gives what decompresses with a dictionary. The caller holds s.mu.
func (s *snapshots) unpackerOf(ctx context.Context, id uint32) (*zstd.Decoder, error) {
	if z := s.unpacker[id]; z != nil {
		return z, nil
	}
	opts := []zstd.DOption{zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxSnapshot), zstd.WithDecoderLowmem(true)}
	if id != 0 {
		item, err := s.store.Get(ctx, dictionaryBucket, dictionaryKey(id))
		if lastnight.CodeOf(err) == lastnight.CodeNotFound {
			return nil, fmt.Errorf("%w: its dictionary %s is gone", clusterer.ErrCorrupt, dictionaryKey(id))
		}
		if err != nil {
			return nil, fmt.Errorf("get dictionary %s: %w", dictionaryKey(id), err)
		}
		words, err := s.content(ctx, item.Value)
		if err != nil || dictionaryID(words) != id {
			return nil, fmt.Errorf("%w: its dictionary %s is damaged", clusterer.ErrCorrupt, dictionaryKey(id))
		}
		opts = append(opts, zstd.WithDecoderDictRaw(id, words))
	}
	z, err := zstd.NewReader(nil, opts...)
	if err != nil {
		return nil, fmt.Errorf("decompress snapshot: %w", err)
	}
	s.unpacker[id] = z
	return z, nil
}

// content decompresses a dictionary. The caller holds s.mu.
func (s *snapshots) content(ctx context.Context, packed []byte) ([]byte, error) {
	z, err := s.unpackerOf(ctx, 0)
	if err != nil {
		return nil, err
	}
	return z.DecodeAll(packed, nil)
}

// dictionaryID is the number by which a compressed snapshot names its dictionary, from the range that is free to use.
func dictionaryID(words []byte) uint32 { return uint32(xxhash.Sum64(words))&(1<<31-1) | 1<<15 }

func dictionaryKey(id uint32) string { return fmt.Sprintf("%08x", id) }
