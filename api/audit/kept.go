package audit

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"iter"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"lastnight"
)

// Keeper keeps entries where several servers reach them.
type Keeper interface {
	// Add puts a value under a key that is not there yet; it is durable when Add returns.
	Add(ctx context.Context, key string, value []byte) error
	// Keys streams the keys that begin with prefix, ascending; Get gives the value of one.
	Keys(ctx context.Context, prefix string) iter.Seq2[string, error]
	Get(ctx context.Context, key string) ([]byte, error)
	Delete(ctx context.Context, key string) error
}

const (
	keepTimeout = 10 * time.Second // an act does not wait longer for its entry
	keptDays    = 400              // after which entries go
	dayKey      = "20060102"
	monthKey    = "200601"
)

// Kept is a log for servers without a disk of their own: entries are values of a Keeper, keyed by
// time, under which they are read. It fails as Log does: the act goes on.
type Kept struct {
	keep            Keeper
	log             *slog.Logger
	nonce           string // two servers' entries of one moment are two
	entries, failed prometheus.Counter

	mu   sync.Mutex
	last time.Time // guarded by mu
}

var (
	_ lastnight.Auditor     = (*Kept)(nil)
	_ lastnight.AuditReader = (*Kept)(nil)
)

// NewKept makes the log. log and metrics may be nil.
func NewKept(keep Keeper, log *slog.Logger, metrics prometheus.Registerer) (*Kept, error) {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	var nonce [4]byte
	if _, err := rand.Read(nonce[:]); err != nil {
		return nil, fmt.Errorf("open audit log: %w", err)
	}
	k := &Kept{keep: keep, log: log, nonce: hex.EncodeToString(nonce[:])}
	k.entries, k.failed = newCounters()
	if metrics != nil {
		if err := errors.Join(metrics.Register(k.entries), metrics.Register(k.failed)); err != nil {
			return nil, fmt.Errorf("open audit log: %w", err)
		}
	}
	return k, nil
}

// Audit implements lastnight.Auditor.
func (k *Kept) Audit(ctx context.Context, e lastnight.AuditEntry) {
	complete(ctx, &e)
	k.mu.Lock()
	e.Time = time.Now().UTC()
	if !e.Time.After(k.last) { // so that times are a place in the log
		e.Time = k.last.Add(1)
	}
	k.last = e.Time
	k.mu.Unlock()
	b, err := json.Marshal(&e)
	if err == nil {
		// What was done is written down, whether or not somebody still waits for the answer.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), keepTimeout)
		defer cancel()
		err = k.keep.Add(ctx, e.Time.Format(stamp)+"-"+k.nonce, b)
	}
	if err != nil {
		k.failed.Inc()
		k.log.Error("the audit log cannot be written", "err", err, "action", e.Action, "actor", e.Actor, "target", e.Target)
		return
	}
	k.entries.Inc()
}

// Copy keeps entries of another log, as they are. Called again with the same ones it changes nothing. It
// gives how many it added.
func Copy(ctx context.Context, keep Keeper, entries []lastnight.AuditEntry) (added int, err error) {
	for i := range entries {
		b, err := json.Marshal(&entries[i])
		if err != nil {
			return added, fmt.Errorf("encode audit entry: %w", err)
		}
		sum := fnv.New32a() // of entries of one moment
		_, _ = sum.Write(b) // it never fails
		err = keep.Add(ctx, entries[i].Time.UTC().Format(stamp)+"-"+hex.EncodeToString(sum.Sum(nil)), b)
		switch {
		case err == nil:
			added++
		case lastnight.CodeOf(err) != lastnight.CodeConflict:
			return added, fmt.Errorf("copy audit entry: %w", err)
		}
	}
	return added, nil
}

// Audits implements lastnight.AuditReader: newest first, month by month.
func (k *Kept) Audits(ctx context.Context, req lastnight.AuditRequest) ([]lastnight.AuditEntry, error) {
	if err := endAtCursor(&req); err != nil {
		return nil, err
	}
	now := time.Now().UTC()
	end := now.AddDate(0, 0, 1) // another server's clock may be ahead
	if !req.End.IsZero() && req.End.Before(end) {
		end = req.End.UTC()
	}
	start := now.AddDate(0, 0, -keptDays)
	if req.Start.After(start) {
		start = req.Start.UTC()
	}
	var all []lastnight.AuditEntry
	for _, month := range slices.Backward(monthsOf(start, end)) {
		var keys []string
		for key, err := range k.keep.Keys(ctx, month) {
			if err != nil {
				return nil, fmt.Errorf("read audit log: %w", err)
			}
			keys = append(keys, key)
		}
		for _, key := range slices.Backward(keys) {
			b, err := k.keep.Get(ctx, key)
			if lastnight.CodeOf(err) == lastnight.CodeNotFound {
				continue
			}
			if err != nil {
				return nil, fmt.Errorf("read audit log: %w", err)
			}
			var e lastnight.AuditEntry
			if json.Unmarshal(b, &e) != nil || e.Time.Before(req.Start) || !wanted(&e, &req) {
				continue
			}
			if all = append(all, e); len(all) == req.Limit {
				return all, nil
			}
		}
	}
	return all, nil
}

// monthsOf gives what the keys of the months from start to end begin with, both inclusive.
func monthsOf(start, end time.Time) []string {
	var months []string
	for m := time.Date(start.Year(), start.Month(), 1, 0, 0, 0, 0, time.UTC); !m.After(end); m = m.AddDate(0, 1, 0) {
		months = append(months, m.Format(monthKey))
	}
	return months
}

// Forget removes what is older than it is kept. One server at a time should call it, now and then.
func (k *Kept) Forget(ctx context.Context) error {
	oldest := time.Now().UTC().AddDate(0, 0, -keptDays).Format(dayKey)
	for key, err := range k.keep.Keys(ctx, "") {
		if err != nil {
			return fmt.Errorf("forget old audit entries: %w", err)
		}
		if key >= oldest {
			return nil
		}
		if err := k.keep.Delete(ctx, key); err != nil {
			return fmt.Errorf("forget old audit entries: %w", err)
		}
	}
	return nil
}

// Close does nothing: an entry is kept when Audit returns.
func (k *Kept) Close() error { return nil }
