package blevestore

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/blevesearch/bleve/v2/index/scorch"
	index "github.com/blevesearch/bleve_index_api"
	bolt "go.etcd.io/bbolt"

	"lastnight"
)

const (
	// maxPending is how many documents of a day may wait for its index; searches read
	// them one by one until then.
	maxPending = 1024
	// maxWaiting is how many documents of a day may come before one of Index's callers
	// has to wait for the index.
	maxWaiting = 32 << 10
	// maxSegment is how many documents a file of an index has at most: merging maps whole files.
	maxSegment = 200_000
	// An index takes so many documents, or so many bytes of text, at a time.
	batchDocuments, batchBytes = 4096, 8 << 20
)

// day is the documents of a day and the index that helps to find them.
type day struct {
	name string // of its bucket

	noting   sync.Mutex
	count    uint64   // documents; guarded by noting
	fresh    uint64   // of them, that are not packed; guarded by noting
	behind   int      // changes since the index was last known to have all; guarded by noting
	pending  []string // keys that the index lacks, if followed; guarded by noting
	latest   uint64   // generation of the last change; guarded by noting
	followed bool     // pending is all that the index lacks; guarded by noting
	unmerged bool     // runs were made since it was seen whether to merge; guarded by noting

	packing sync.Mutex // held while runs are made, before Store.writing

	mu   sync.Mutex
	idx  index.Index // nil: not open; guarded by mu
	gone bool        // dropped; guarded by mu
	from uint64      // generation that the open index has; guarded by mu

	scanBelow uint64
}

// note takes into account what was put into the day.
func (d *day) note(keys []string, count, fresh, generation uint64) {
	d.noting.Lock()
	defer d.noting.Unlock()
	d.count, d.fresh, d.latest = count, fresh, generation
	d.behind += len(keys)
	if d.followed {
		d.pending = append(d.pending, keys...)
	}
}

// packed takes into account that documents were packed, so that so many are fresh.
func (d *day) packed(fresh uint64) {
	d.noting.Lock()
	defer d.noting.Unlock()
	d.fresh, d.unmerged = fresh, true
}

// merged takes into account that runs were looked at, and merged where that was due.
func (d *day) merged(done bool) {
	d.noting.Lock()
	defer d.noting.Unlock()
	d.unmerged = !done
}

// packDue tells whether so many documents are fresh that they are to be packed.
func (d *day) packDue() bool {
	d.noting.Lock()
	defer d.noting.Unlock()
	return d.fresh >= maxPacking
}

// mergeDue tells whether there may be runs to merge.
func (d *day) mergeDue() bool {
	d.noting.Lock()
	defer d.noting.Unlock()
	return d.unmerged
}

// hasFresh tells whether more than so many documents are fresh.
func (d *day) hasFresh(spare int) bool {
	d.noting.Lock()
	defer d.noting.Unlock()
	return d.fresh > uint64(spare)
}

// small tells whether the day has so few documents that it needs no index.
func (d *day) small() bool {
	d.noting.Lock()
	defer d.noting.Unlock()
	return d.count < d.scanBelow
}

// due tells whether the index is too far behind for more to be put.
func (d *day) due() bool {
	d.noting.Lock()
	defer d.noting.Unlock()
	return d.count >= d.scanBelow && d.behind >= maxWaiting
}

// lacking gives the keys that the index lacks, and the generation they reach.
func (d *day) lacking() (keys []string, latest uint64) {
	d.noting.Lock()
	defer d.noting.Unlock()
	return slices.Clone(d.pending), d.latest
}

// caughtUp notes that the index has the first n pending keys.
func (d *day) caughtUp(n int) {
	d.noting.Lock()
	defer d.noting.Unlock()
	if d.followed {
		d.pending = slices.Clone(d.pending[n:])
	}
	d.behind = len(d.pending)
}

// follow begins to note what the index lacks.
func (d *day) follow() uint64 {
	d.noting.Lock()
	defer d.noting.Unlock()
	d.followed, d.pending = true, nil
	return d.latest
}

// unfollow forgets what the index lacks: it is found out when it is next opened.
func (d *day) unfollow() {
	d.noting.Lock()
	defer d.noting.Unlock()
	if d.behind = len(d.pending); d.followed {
		d.followed, d.pending = false, nil
	}
}

func (s *Store) newDay(name string) *day {
	return &day{name: name, scanBelow: uint64(max(s.cfg.ScanBelow, 0))}
}

// loadDays reads which days there are.
func (s *Store) loadDays() error {
	err := s.documents.View(func(tx *bolt.Tx) error {
		return tx.ForEach(func(name []byte, b *bolt.Bucket) error {
			if !strings.HasPrefix(string(name), "d") {
				return nil
			}
			d := s.newDay(string(name))
			d.count, d.fresh, d.latest = getUint(b, countKey), getUint(b, freshKey), getUint(b, generationKey)
			d.unmerged = true
			s.days[d.name] = d
			return nil
		})
	})
	if err != nil {
		return fmt.Errorf("list days: %w", err)
	}
	return nil
}

func (s *Store) dayNamed(name string) *day {
	s.mu.Lock()
	defer s.mu.Unlock()
	d := s.days[name]
	if d == nil {
		d = s.newDay(name)
		s.days[name] = d
	}
	return d
}

// allDays gives the days, oldest first.
func (s *Store) allDays() []*day {
	s.mu.Lock()
	defer s.mu.Unlock()
	days := make([]*day, 0, len(s.days))
	for _, d := range s.days {
		days = append(days, d)
	}
	slices.SortFunc(days, func(a, b *day) int { return strings.Compare(a.name, b.name) })
	return days
}

func (s *Store) indexDir(d *day) string {
	return filepath.Join(s.cfg.Dir, indexFolder, strings.TrimPrefix(d.name, "d"))
}

// forgetDay removes the index of a day whose documents are gone.
func (s *Store) forgetDay(d *day) error {
	s.mu.Lock()
	delete(s.days, d.name)
	s.open = slices.DeleteFunc(s.open, func(o *day) bool { return o == d })
	s.mu.Unlock()
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gone = true
	err := d.close()
	return errors.Join(err, os.RemoveAll(s.indexDir(d)))
}

// close closes the index if it is open. d.mu is held.
func (d *day) close() error {
	if d.idx == nil {
		return nil
	}
	err := d.idx.Close()
	d.idx = nil
	d.unfollow()
	return err
}

// generationInIndex is the key under which an index keeps how far it came.
var generationInIndex = []byte("generation")

// ensure opens the index of a day; it makes one where there is none. d.mu is held.
func (s *Store) ensure(ctx context.Context, d *day) error {
	if d.gone {
		return errGone
	}
	if d.idx != nil {
		return nil
	}
	dir := s.indexDir(d)
	broken := func(err error) error {
		return lastnight.Errorf(lastnight.CodeInternal, "stop lastnight and remove the folder "+dir+": it is built anew from the documents",
			"the search index of %s is damaged: %w", d.name[1:], err)
	}
	idx, err := scorch.NewScorch(scorch.Name, map[string]any{
		"path": dir, "bolt_timeout": s.cfg.LockWait.String(), "scorchMergePlanOptions": map[string]any{"MaxSegmentSize": maxSegment},
	}, s.analysis)
	if err != nil {
		return fmt.Errorf("open index of %s: %w", d.name[1:], err)
	}
	if err := openScorch(idx); err != nil {
		return broken(err)
	}
	r, err := idx.Reader()
	if err != nil {
		return errors.Join(broken(err), idx.Close())
	}
	v, err := r.GetInternal(generationInIndex)
	if err := errors.Join(err, r.Close()); err != nil {
		return errors.Join(broken(err), idx.Close())
	}
	d.idx, d.from = idx, 0
	if len(v) == 8 {
		d.from = binary.BigEndian.Uint64(v)
	}
	if latest := d.follow(); latest > d.from {
		if err := s.replay(ctx, d, latest); err != nil {
			return errors.Join(err, d.close())
		}
	}
	d.caughtUp(0)
	return nil
}

// openScorch turns a panic over damaged files into an error.
func openScorch(idx index.Index) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	return idx.Open()
}

var errGone = errors.New("the day was dropped")

// catchUp brings the index of a day up to date.
func (s *Store) catchUp(ctx context.Context, d *day) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return s.refresh(ctx, d, 0)
}

// refresh opens the index and gives it what it lacks if that is more than spare. d.mu is held.
func (s *Store) refresh(ctx context.Context, d *day, spare int) error {
	err := s.ensure(ctx, d)
	if errors.Is(err, errGone) {
		return nil
	}
	if err != nil {
		return err
	}
	s.used(ctx, d)
	keys, latest := d.lacking()
	if len(keys) <= spare {
		return nil
	}
	slices.Sort(keys)
	if err := s.feed(ctx, d, slices.Compact(keys), latest); err != nil {
		return err
	}
	d.caughtUp(len(keys))
	return nil
}

// feed gives the index the documents of keys, and then the generation that they reach.
func (s *Store) feed(ctx context.Context, d *day, keys []string, generation uint64) error {
	f := feeder{idx: d.idx, batch: index.NewBatch()}
	for len(keys) > 0 {
		n := min(len(keys), pageDocuments)
		docs, err := s.fetchKeys(d.name, keys[:n])
		if err != nil {
			return err
		}
		for i := range docs {
			if err := f.add(ctx, &docs[i]); err != nil {
				return err
			}
		}
		keys = keys[n:]
	}
	return f.finish(generation)
}

// replay gives the index all documents that changed after the generation it has.
func (s *Store) replay(ctx context.Context, d *day, latest uint64) error {
	s.cfg.Logger.DebugContext(ctx, "search index catches up", "day", d.name[1:], "from", d.from, "to", latest)
	f := feeder{idx: d.idx, batch: index.NewBatch()}
	after := d.from
	changed := func(_ *bolt.Bucket, value []byte) bool {
		g, _ := binary.Uvarint(value)
		return g > after
	}
	for doc, err := range s.scan(ctx, d.name, reading{keep: changed}) {
		if err != nil {
			return err
		}
		if err := f.add(ctx, &doc); err != nil {
			return err
		}
	}
	return f.finish(latest)
}

// used notes that an index was used, and closes those used least recently where too
// many are open. d.mu is held, so others are only closed if nobody uses them.
func (s *Store) used(ctx context.Context, d *day) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open = append(slices.DeleteFunc(s.open, func(o *day) bool { return o == d }), d)
	for i := 0; len(s.open) > s.cfg.MaxOpen && i < len(s.open)-1; {
		o := s.open[i]
		if !o.mu.TryLock() {
			i++
			continue
		}
		if err := s.settle(ctx, o); err != nil { // what it lacks is found out when it is opened again
			s.cfg.Logger.WarnContext(ctx, "search index did not close", "day", o.name[1:], "err", err)
		}
		o.mu.Unlock()
		s.open = slices.Delete(s.open, i, i+1)
	}
}

// settle gives an open index what it lacks and closes it. d.mu is held.
func (s *Store) settle(ctx context.Context, d *day) (err error) {
	if keys, latest := d.lacking(); d.idx != nil && len(keys) > 0 {
		slices.Sort(keys)
		err = s.feed(ctx, d, slices.Compact(keys), latest)
	}
	return errors.Join(err, d.close())
}

// closeIndexes gives open indexes what they lack and closes them.
func (s *Store) closeIndexes() error {
	s.mu.Lock()
	open := s.open
	s.open = nil
	s.mu.Unlock()
	var errs []error
	for _, d := range open {
		d.mu.Lock()
		errs = append(errs, s.settle(context.Background(), d)) // what it lacks is little
		d.mu.Unlock()
	}
	return errors.Join(errs...)
}

// Rebuild makes all indexes anew from the documents, where days have enough for one.
func (s *Store) Rebuild(ctx context.Context) error {
	for _, d := range s.allDays() {
		d.mu.Lock()
		err := errors.Join(d.close(), os.RemoveAll(s.indexDir(d)))
		if err == nil && !d.small() {
			err = s.refresh(ctx, d, 0)
		}
		d.mu.Unlock()
		if err != nil {
			return fmt.Errorf("rebuild search index of %s: %w", d.name[1:], err)
		}
	}
	return nil
}
