package elasticstore

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"

	elastic "github.com/elastic/go-elasticsearch/v8"

	"lastnight"
	"lastnight/indexer/store"
)

// Store is an open store. All methods may be called at once.
type Store struct {
	cfg     Config
	client  *elastic.BaseClient
	letters letterbox
	metrics metrics

	mu   sync.Mutex
	days map[string]bool // indices known to exist; guarded by mu
}

var _ store.Store = (*Store)(nil)

// metrics is what the store counts.
type metrics struct {
	requests, retries, documents, dead atomic.Int64
}

// Metrics is what a store did since it was opened.
type Metrics struct {
	Requests    int64 // sent to Elasticsearch
	Retries     int64 // of them again, because it was away or overloaded
	Documents   int64 // it took
	DeadLetters int64 // it refused for what they are
}

// Metrics gives what was counted.
func (s *Store) Metrics() Metrics {
	return Metrics{s.metrics.requests.Load(), s.metrics.retries.Load(), s.metrics.documents.Load(), s.metrics.dead.Load()}
}

// Open connects, refuses indices of versions that it does not know, and puts its index
// templates. Its errors say what is missing.
func Open(ctx context.Context, cfg Config) (*Store, error) {
	cfg = cfg.withDefaults()
	if err := cfg.check(); err != nil {
		return nil, err
	}
	client, err := newClient(&cfg)
	if err != nil {
		return nil, err
	}
	s := &Store{cfg: cfg, client: client, days: map[string]bool{}}
	if err := s.checkServer(ctx); err != nil {
		return nil, err
	}
	if err := s.checkFormats(ctx); err != nil {
		return nil, err
	}
	for _, kind := range append(slices.Clone(fixedKinds), kindDocuments, kindCounts) {
		if err := s.putTemplate(ctx, kind); err != nil {
			return nil, err
		}
	}
	for _, kind := range fixedKinds {
		if err := s.ensure(ctx, s.index(kind)); err != nil {
			return nil, err
		}
	}
	if cfg.DeadLetters == "" {
		s.letters = itemLetters{s}
	} else if s.letters, err = openFileLetters(cfg.DeadLetters); err != nil {
		return nil, err
	}
	return s, nil
}

// Close lets go of the connections. Nothing is lost without it.
func (s *Store) Close() error { return s.letters.close() }

// index names the index of a kind, or what the names of its daily ones begin with.
func (s *Store) index(kind string) string {
	return s.cfg.Prefix + "-" + kind + "-v" + strconv.Itoa(format)
}

// checkServer asks for health, which every Elasticsearch answers, and for the version, which
// one may keep to itself.
func (s *Store) checkServer(ctx context.Context) error {
	if _, err := s.call(ctx, request{method: http.MethodGet, path: "/_cluster/health"}); err != nil {
		return fmt.Errorf("open store: %w", err)
	}
	a, err := s.send(ctx, request{method: http.MethodGet, path: "/"})
	if err != nil || a.status != http.StatusOK {
		return nil //nolint:nilerr // it works without
	}
	var info struct {
		Version struct {
			Number string `json:"number"`
		} `json:"version"`
	}
	if json.Unmarshal(a.body, &info) != nil {
		return nil
	}
	if major, err := strconv.Atoi(strings.SplitN(info.Version.Number, ".", 2)[0]); err == nil && major < 8 {
		return lastnight.Errorf(lastnight.CodeInvalid, "Elasticsearch 8 or later", "Elasticsearch at %s has version %s, 8 is needed", s.cfg.where(), info.Version.Number)
	}
	return nil
}

// checkFormats refuses indices under our names that are not ours or of another version.
func (s *Store) checkFormats(ctx context.Context) error {
	b, err := s.call(ctx, request{
		method: http.MethodGet, path: "/" + s.cfg.Prefix + "-*/_mapping",
		query: url.Values{"filter_path": {"*.mappings._meta"}, "ignore_unavailable": {"true"}, "allow_no_indices": {"true"}},
	})
	if err != nil {
		return fmt.Errorf("open store: read mappings: %w", err)
	}
	var found map[string]struct {
		Mappings struct {
			Meta struct {
				Ours *struct {
					Kind   string `json:"kind"`
					Format int    `json:"format"`
				} `json:"lastnight"`
			} `json:"_meta"`
		} `json:"mappings"`
	}
	if err := json.Unmarshal(b, &found); err != nil {
		return fmt.Errorf("open store: read mappings: %w", err)
	}
	for name, f := range found {
		if ours := f.Mappings.Meta.Ours; ours != nil && (ours.Format > format || ours.Format < oldestFormat) {
			return lastnight.Errorf(lastnight.CodeInvalid, "use the lastnight that wrote it or a newer one, or another --store-prefix",
				"index %s has format %d, this lastnight knows formats %d to %d", name, ours.Format, oldestFormat, format)
		}
	}
	return nil
}

func (s *Store) putTemplate(ctx context.Context, kind string) error {
	body, err := json.Marshal(s.template(kind))
	if err != nil {
		return fmt.Errorf("encode index template: %w", err)
	}
	if _, err := s.call(ctx, request{method: http.MethodPut, path: "/_index_template/" + s.index(kind), body: body}); err != nil {
		return fmt.Errorf("open store: put index template of %s: %w", kind, err)
	}
	return nil
}

// ensure makes an index if it does not exist, as its template says, and once: a cluster
// may forbid that indices come into being by being written. Where there is one of an older
// format, it is made anew of that.
func (s *Store) ensure(ctx context.Context, name string) error {
	s.mu.Lock()
	known := s.days[name]
	s.mu.Unlock()
	if known {
		return nil
	}
	old, err := s.older(ctx, name)
	switch {
	case err != nil:
	case old != "":
		err = s.upgrade(ctx, old, name)
	default:
		kind, _, _, _ := s.partsOfName(name)
		if err = s.create(ctx, name, s.aliasOf(kind)); exists(err) {
			err = s.takeIn(ctx, name, s.aliasOf(kind))
		}
	}
	if err != nil {
		return fmt.Errorf("make index %s: %w", name, err)
	}
	s.mu.Lock()
	s.days[name] = true
	s.mu.Unlock()
	return nil
}

// takeIn puts an index that exists behind the alias, unless somebody else made it under our name: its mapping
// may be any.
func (s *Store) takeIn(ctx context.Context, name, alias string) error {
	b, err := s.call(ctx, request{method: http.MethodGet, path: "/" + name + "/_mapping", query: url.Values{"filter_path": {"*.mappings._meta.lastnight.format"}}})
	if err != nil {
		return err
	}
	if !strings.Contains(string(b), `"format":`+strconv.Itoa(format)) {
		return lastnight.Errorf(lastnight.CodeConflict, "remove it, or use another --store-prefix", "index %s exists and was not made by lastnight", name)
	}
	_, err = s.call(ctx, request{method: http.MethodPut, path: "/" + name + "/_alias/" + alias})
	return err
}

// forget drops what is known of an index.
func (s *Store) forget(name string) {
	s.mu.Lock()
	delete(s.days, name)
	s.mu.Unlock()
}
