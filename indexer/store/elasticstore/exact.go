package elasticstore

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"strconv"

	"lastnight"
	"lastnight/indexer/store"
)

const (
	maxValueBytes = 32 << 20
	// listBytes is how many bytes of values are read at once, at least one value.
	listBytes = 4 << 20
)

// item is an item as it lies in Elasticsearch. The version of an item is its sequence
// number and one: that of a shard grows with each change, over removals too, and the
// index has one shard.
type item struct {
	Bucket string `json:"bucket"`
	Key    string `json:"key"`   // hexadecimal: any bytes, in their order
	Bytes  int    `json:"bytes"` // of the value
	Value  string `json:"value"` // base64
	Put    string `json:"put"`   // made up anew for each put: tells ours from somebody else's
}

func itemID(bucket, key string) string { return hashID(bucket, key) }

func (s *Store) items() string { return s.index(kindItems) }

// Get gives an item, or an error of CodeNotFound.
func (s *Store) Get(ctx context.Context, bucket, key string) (store.Item, error) {
	h, err := s.getItem(ctx, bucket, key)
	if err != nil {
		return store.Item{}, fmt.Errorf("get item: %w", err)
	}
	if !h.Found {
		return store.Item{}, lastnight.Errorf(lastnight.CodeNotFound, "", "there is no %.80q in %.80q", key, bucket)
	}
	return decodeItem(&h)
}

func (s *Store) getItem(ctx context.Context, bucket, key string) (held, error) {
	have, err := s.getMany(ctx, s.items(), []string{itemID(bucket, key)})
	if err != nil {
		return held{}, err
	}
	return have[0], nil
}

func decodeItem(h *held) (store.Item, error) {
	var i item
	if err := json.Unmarshal(h.Source, &i); err != nil {
		return store.Item{}, fmt.Errorf("decode item %s: %w", h.ID, err)
	}
	key, err := hex.DecodeString(i.Key)
	if err != nil {
		return store.Item{}, fmt.Errorf("decode item %s: %w", h.ID, err)
	}
	value, err := base64.StdEncoding.DecodeString(i.Value)
	if err != nil {
		return store.Item{}, fmt.Errorf("decode item %q: %w", key, err)
	}
	return store.Item{Key: string(key), Value: value, Version: h.Seq + 1}, nil
}

// Put sets a value if its version still is ifVersion and gives the new version, or an
// error of CodeConflict. It returns when the value is durable.
//
// Where the answer to a put was lost it is sent again; if it had been carried out, the
// second one would look like a conflict, so each put has a mark by which it knows its own.
func (s *Store) Put(ctx context.Context, bucket, key string, value []byte, ifVersion int64) (int64, error) {
	if err := errors.Join(checkKey("name of a bucket", bucket), checkKey("key of an item", key)); err != nil {
		return 0, err
	}
	if ifVersion < -1 {
		return 0, lastnight.Errorf(lastnight.CodeInvalid, "", "no item has version %d", ifVersion)
	}
	if len(value) > maxValueBytes {
		return 0, lastnight.Errorf(lastnight.CodeTooLarge, "", "the value of %.80q has %d bytes, at most %d are kept", key, len(value), maxValueBytes)
	}
	conflict := func(is int64) error {
		return lastnight.Errorf(lastnight.CodeConflict, "read it again, then decide", "%.80q in %.80q was changed by somebody else: version %d, not %d", key, bucket, is, ifVersion)
	}
	query := url.Values{}
	switch {
	case ifVersion == 0:
		query.Set("op_type", "create")
	case ifVersion > 0:
		h, err := s.getItem(ctx, bucket, key)
		if err != nil {
			return 0, fmt.Errorf("put item: %w", err)
		}
		if !h.Found || h.Seq+1 != ifVersion {
			return 0, conflict(h.Seq + 1)
		}
		query.Set("if_seq_no", strconv.FormatInt(h.Seq, 10))
		query.Set("if_primary_term", strconv.FormatInt(h.Term, 10))
	}
	body, err := json.Marshal(item{Bucket: bucketTerm(bucket), Key: hex.EncodeToString([]byte(key)), Bytes: len(value), Value: base64.StdEncoding.EncodeToString(value), Put: rand.Text()})
	if err != nil {
		return 0, fmt.Errorf("encode item: %w", err)
	}
	seq, err := s.putItem(ctx, request{method: http.MethodPut, path: "/" + s.items() + "/_doc/" + itemID(bucket, key), query: query, body: body})
	if statusOf(err) == http.StatusConflict {
		return 0, conflict(-1)
	}
	if err != nil {
		return 0, fmt.Errorf("put item: %w", err)
	}
	return seq + 1, nil
}

// putItem gives the sequence number of the change.
func (s *Store) putItem(ctx context.Context, r request) (int64, error) {
	b, err := s.call(ctx, r)
	if statusOf(err) == http.StatusConflict {
		return s.mine(ctx, r, err)
	}
	if err != nil {
		return 0, err
	}
	var said struct {
		Seq int64 `json:"_seq_no"`
	}
	if err := json.Unmarshal(b, &said); err != nil {
		return 0, fmt.Errorf("decode answer of Elasticsearch: %w", err)
	}
	return said.Seq, nil
}

// mine tells whether the conflict is with ourselves: an earlier try that was carried out.
func (s *Store) mine(ctx context.Context, r request, conflict error) (int64, error) {
	b, err := s.call(ctx, request{method: http.MethodGet, path: r.path})
	if statusOf(err) == http.StatusNotFound { // deleted since
		return 0, conflict
	}
	if err != nil {
		return 0, err
	}
	var h held
	var is, want item
	if err := errors.Join(json.Unmarshal(b, &h), json.Unmarshal(h.Source, &is), json.Unmarshal(r.body, &want)); err != nil {
		return 0, fmt.Errorf("decode item: %w", err)
	}
	if is.Put != want.Put {
		return 0, conflict
	}
	return h.Seq, nil
}

// bucketTerm is the name of a bucket as a term.
func bucketTerm(bucket string) string { return hex.EncodeToString([]byte(bucket)) }

// Delete removes an item; an unknown one is no error.
func (s *Store) Delete(ctx context.Context, bucket, key string) error {
	_, err := s.call(ctx, request{method: http.MethodDelete, path: "/" + s.items() + "/_doc/" + itemID(bucket, key)})
	if err != nil && statusOf(err) != http.StatusNotFound {
		return fmt.Errorf("delete item: %w", err)
	}
	return nil
}

// List streams the items whose key begins with prefix, by key: those that there are when it
// is called, as they are when they are read.
func (s *Store) List(ctx context.Context, bucket, prefix string) iter.Seq2[store.Item, error] {
	return func(yield func(store.Item, error) bool) {
		f := find{query: isTerm("bucket", bucketTerm(bucket)), sort: []object{{"key": "asc"}}, fields: []string{"bytes"}}
		if prefix != "" {
			f.query = allOf(f.query, hasPrefix("key", hex.EncodeToString([]byte(prefix))))
		}
		var ids []string
		size := 0
		flush := func() bool {
			have, err := s.getMany(ctx, s.items(), ids)
			if err != nil {
				yield(store.Item{}, fmt.Errorf("list items: %w", err))
				return false
			}
			ids, size = nil, 0
			for i := range have {
				if !have[i].Found {
					continue // deleted meanwhile
				}
				if it, err := decodeItem(&have[i]); !yield(it, err) || err != nil {
					return false
				}
			}
			return true
		}
		for h, err := range s.find(ctx, []string{s.items()}, f) {
			var i item
			if err == nil {
				err = json.Unmarshal(h.Source, &i)
			}
			if err != nil {
				yield(store.Item{}, fmt.Errorf("list items: %w", err))
				return
			}
			if len(ids) > 0 && (size+i.Bytes > listBytes || len(ids) == getBatch) && !flush() {
				return
			}
			ids, size = append(ids, h.ID), size+i.Bytes
		}
		if len(ids) > 0 {
			flush()
		}
	}
}
