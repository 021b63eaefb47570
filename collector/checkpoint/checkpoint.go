// Package checkpoint remembers up to where each file generation of a node was acknowledged.
//
// Ack is called after the server has made the lines durable, never before; Flush writes
// what was acknowledged into one small file, at once or not at all (docs/formats/checkpoint.md):
//
//	checkpoint.tmp ─▶ written, synced ─▶ renamed to checkpoint ─▶ folder synced
//
// A checkpoint that is older than the truth, damaged or gone costs that lines are read and sent once
// more: the server knows which it has. So it is flushed once in a while, not at every acknowledgement,
// and entries that nobody asked for in 30 days are dropped.
package checkpoint

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"

	"lastnight"
	"lastnight/internal/vfs"
)

const (
	fileName   = "checkpoint"
	version    = 1
	magic      = "lastnight-checkpoint"
	maxAge     = 30 * 24 * time.Hour
	maxEntries = 200_000
	maxBytes   = 64 << 20 // of the file
)

// Checkpoint is the positions of one node. All methods may be called at once.
type Checkpoint struct {
	fs  vfs.FS
	now func() time.Time

	mu      sync.Mutex
	entries map[key]entry // guarded by mu
	changed bool          // guarded by mu; since the last flush

	flush sync.Mutex // held while the file is written
}

type key struct {
	stream lastnight.StreamID
	gen    lastnight.Generation
}

type entry struct {
	offset int64
	used   int64 // seconds since 1970
}

// Open reads the checkpoint of a folder; a missing one is empty, and so is a damaged one, which is
// logged. An unknown version is an error.
func Open(fsys vfs.FS, log *slog.Logger) (*Checkpoint, error) {
	c := &Checkpoint{fs: fsys, now: time.Now, entries: map[key]entry{}}
	data, err := readFile(fsys)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read checkpoint: %w", err)
	}
	entries, err := parse(data)
	if errors.Is(err, errDamaged) {
		log.Warn("the checkpoint is damaged; files are read again from their beginnings, which doubles nothing", "err", err)
		return c, nil
	}
	if err != nil {
		return nil, err
	}
	c.entries = entries
	return c, nil
}

func readFile(fsys vfs.FS) ([]byte, error) {
	f, err := fsys.Open(fileName)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	size, err := f.Size()
	if err != nil {
		return nil, err
	}
	if size > maxBytes {
		return []byte{}, nil // no checkpoint of ours: damaged
	}
	data := make([]byte, size)
	if n, err := f.ReadAt(data, 0); err != nil && (n < len(data) || !errors.Is(err, io.EOF)) {
		return nil, err
	}
	return data, nil
}

// Position gives the offset in the generation up to which everything was acknowledged; 0 if nothing was.
func (c *Checkpoint) Position(s lastnight.Stream, gen lastnight.Generation) int64 {
	k := key{s.ID(), gen}
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := c.entries[k]
	if ok {
		e.used = c.now().Unix()
		c.entries[k] = e
	}
	return e.offset
}

// Ack moves the position of a generation to an offset, never back. What is before it must be durable at the server.
func (c *Checkpoint) Ack(stream lastnight.StreamID, gen lastnight.Generation, offset int64) {
	k := key{stream, gen}
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.entries[k]
	if offset <= e.offset {
		return
	}
	c.entries[k] = entry{offset, c.now().Unix()}
	c.changed = true
}

// Flush makes durable what was acknowledged. It does nothing if that has not changed.
func (c *Checkpoint) Flush() error {
	c.flush.Lock()
	defer c.flush.Unlock()
	c.mu.Lock()
	if !c.changed {
		c.mu.Unlock()
		return nil
	}
	c.drop()
	data := format(c.entries)
	c.changed = false
	c.mu.Unlock()
	if err := c.write(data); err != nil {
		c.mu.Lock()
		c.changed = true
		c.mu.Unlock()
		return fmt.Errorf("write checkpoint: %w", err)
	}
	return nil
}

// drop forgets what was not used for long, and the oldest where there are too many. Callers hold mu.
func (c *Checkpoint) drop() {
	limit := c.now().Add(-maxAge).Unix()
	if over := len(c.entries) - maxEntries; over > 0 {
		used := make([]int64, 0, len(c.entries))
		for _, e := range c.entries {
			used = append(used, e.used)
		}
		slices.Sort(used)
		limit = max(limit, used[over-1]+1)
	}
	for k, e := range c.entries {
		if e.used < limit {
			delete(c.entries, k)
		}
	}
}

func (c *Checkpoint) write(data []byte) error {
	f, err := c.fs.Create(fileName + ".tmp")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err == nil {
		err = f.Sync()
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return err
	}
	if err := c.fs.Rename(fileName+".tmp", fileName); err != nil {
		return err
	}
	return c.fs.Sync(".")
}

var errDamaged = errors.New("damaged")

// format writes the entries, by stream and generation.
func format(entries map[key]entry) []byte {
	keys := make([]key, 0, len(entries))
	for k := range entries {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b key) int {
		return cmp.Or(cmp.Compare(a.stream, b.stream), a.gen.Compare(b.gen))
	})
	b := fmt.Appendf(nil, "%s %d\n", magic, version)
	for _, k := range keys {
		b = append(append(append(append(b, k.stream...), ' '), k.gen.String()...), ' ')
		b = strconv.AppendInt(b, entries[k].offset, 10)
		b = strconv.AppendInt(append(b, ' '), entries[k].used, 10)
		b = append(b, '\n')
	}
	return fmt.Appendf(b, "sum %016x\n", xxhash.Sum64(b))
}

// parse reads what format wrote. errDamaged: it is something else.
func parse(data []byte) (map[key]entry, error) {
	first, _, _ := bytes.Cut(data, []byte("\n"))
	var v int
	if n, err := fmt.Sscanf(string(first[:min(len(first), 64)]), magic+" %d", &v); n != 1 || err != nil {
		return nil, fmt.Errorf("%w: no checkpoint", errDamaged)
	}
	if v != version {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "use the lastnight that wrote it, or another --checkpoint DIR",
			"unknown version %d of a checkpoint: this lastnight reads %d", v, version)
	}
	end := bytes.LastIndex(data, []byte("sum "))
	if end < 0 || string(data[end:]) != fmt.Sprintf("sum %016x\n", xxhash.Sum64(data[:end])) {
		return nil, fmt.Errorf("%w: the checksum does not match", errDamaged)
	}
	entries := map[key]entry{}
	s := bufio.NewScanner(bytes.NewReader(data[len(first)+1 : end]))
	for s.Scan() {
		f := strings.Fields(s.Text())
		if len(f) != 4 || len(f[0]) != 16 {
			return nil, fmt.Errorf("%w: line %q", errDamaged, s.Text())
		}
		gen, err := lastnight.ParseGeneration(f[1])
		offset, offErr := strconv.ParseInt(f[2], 10, 64)
		used, usedErr := strconv.ParseInt(f[3], 10, 64)
		if err := errors.Join(err, offErr, usedErr); err != nil || offset < 0 {
			return nil, fmt.Errorf("%w: line %q", errDamaged, s.Text())
		}
		entries[key{lastnight.StreamID(f[0]), gen}] = entry{offset, used}
	}
	if err := s.Err(); err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	return entries, nil
}

// IsFile tells from a file's first bytes whether it is a checkpoint.
func IsFile(head []byte) bool { return bytes.HasPrefix(head, []byte(magic+" ")) }

// Dump writes a checkpoint as JSON.
func Dump(w io.Writer, r io.Reader) error {
	data, err := io.ReadAll(io.LimitReader(r, maxBytes))
	if err != nil {
		return fmt.Errorf("read: %w", err)
	}
	entries, err := parse(data)
	if err != nil {
		return err
	}
	type position struct {
		Stream     lastnight.StreamID `json:"stream"`
		Generation string             `json:"generation"`
		Offset     int64              `json:"offset"`
		Used       time.Time          `json:"used"`
	}
	all := make([]position, 0, len(entries))
	for k, x := range entries {
		all = append(all, position{k.stream, k.gen.String(), x.offset, time.Unix(x.used, 0).UTC()})
	}
	slices.SortFunc(all, func(a, b position) int {
		return cmp.Or(cmp.Compare(a.Stream, b.Stream), cmp.Compare(a.Generation, b.Generation))
	})
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	if err := e.Encode(map[string]any{"kind": "checkpoint", "version": version, "positions": all}); err != nil {
		return fmt.Errorf("write: %w", err)
	}
	return nil
}
