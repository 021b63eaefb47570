package elasticstore

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"lastnight"
)

const (
	maxKeyBytes = 4 << 10
	// maxRaces is how often a change is merged again because somebody else was quicker.
	maxRaces = 50
	// getBatch is how many documents are read by id in one request.
	getBatch = 500
)

// hashID makes an _id of names of any length and bytes.
func hashID(parts ...string) string {
	h := sha256.New()
	for _, p := range parts {
		fmt.Fprintf(h, "%d:%s", len(p), p)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:18])
}

// checkKey refuses names that are no keys.
func checkKey(what, key string) error {
	if key == "" || len(key) > maxKeyBytes {
		return lastnight.Errorf(lastnight.CodeInvalid, "", "a %s has %d bytes, must have 1 to %d", what, len(key), maxKeyBytes)
	}
	return nil
}

// held is a document that was read by its id.
type held struct {
	ID     string          `json:"_id"`
	Found  bool            `json:"found"`
	Seq    int64           `json:"_seq_no"`
	Term   int64           `json:"_primary_term"`
	Source json.RawMessage `json:"_source"`
	Error  *itemErrorBody  `json:"error"`
}

// getMany reads documents by id as they are now, found or not, in the order of ids.
func (s *Store) getMany(ctx context.Context, index string, ids []string) ([]held, error) {
	all := make([]held, 0, len(ids))
	for part := range slices.Chunk(ids, getBatch) {
		body, err := json.Marshal(object{"ids": part})
		if err != nil {
			return nil, fmt.Errorf("encode ids: %w", err)
		}
		some, err := s.getPart(ctx, index, part, body)
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// getPart sends one request of getMany, again while the index has no shard to read from: it has just been made,
// maybe by another server that starts at the same time, or its node has just started.
func (s *Store) getPart(ctx context.Context, index string, ids []string, body []byte) ([]held, error) {
	deadline := time.Now().Add(s.cfg.MaxWait)
	for try := 1; ; try++ {
		b, err := s.call(ctx, request{method: http.MethodPost, path: "/" + index + "/_mget", body: body})
		if err != nil {
			return nil, err
		}
		var said struct {
			Docs []held `json:"docs"`
		}
		if err := json.Unmarshal(b, &said); err != nil {
			return nil, fmt.Errorf("decode answer of Elasticsearch: %w", err)
		}
		if len(said.Docs) != len(ids) {
			return nil, fmt.Errorf("read %d documents: Elasticsearch answered for %d", len(ids), len(said.Docs))
		}
		bad := slices.IndexFunc(said.Docs, func(h held) bool { return h.Error != nil })
		if bad < 0 {
			return said.Docs, nil
		}
		e, wait := said.Docs[bad].Error, jittered(try, 0)
		if e.Type != "no_shard_available_action_exception" || time.Now().Add(wait).After(deadline) {
			return nil, lastnight.Errorf(lastnight.CodeUnavailable, "see whether Elasticsearch is well", "read %q of %s: %s: %s", ids[bad], index, e.Type, e.Reason)
		}
		s.metrics.retries.Add(1)
		if err := sleep(ctx, wait); err != nil {
			return nil, err
		}
	}
}

// wrapped is how values of ours lie in Elasticsearch: as JSON text, which nothing in it can break.
type wrapped struct {
	Body string `json:"body"`
}

func unwrap[T any](source json.RawMessage, v *T) error {
	var w wrapped
	if err := json.Unmarshal(source, &w); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	if err := json.Unmarshal([]byte(w.Body), v); err != nil {
		return fmt.Errorf("decode: %w", err)
	}
	return nil
}

// wrap encodes a value with the fields that it is looked up by.
func wrap(v any, fields object) ([]byte, string, error) {
	body, err := json.Marshal(v)
	if err != nil {
		return nil, "", fmt.Errorf("encode: %w", err)
	}
	out := object{"body": string(body)}
	for k, f := range fields {
		if f != "" {
			out[k] = f
		}
	}
	b, err := json.Marshal(out)
	if err != nil {
		return nil, "", fmt.Errorf("encode: %w", err)
	}
	return b, string(body), nil
}

// kept tells upsert about values of a type.
type kept[T any] struct {
	kind   string
	id     func(v *T) string // its _id
	merge  func(held, v *T)
	fields func(v *T) object // what it is looked up by
}

// upsert puts values, merged into those that are there. Who changes the same at the same
// time is noticed, and the merge is done again.
func upsert[T any](ctx context.Context, s *Store, k kept[T], values []T) error {
	var ids []string
	byID := make(map[string][]*T, len(values))
	for i := range values {
		id := k.id(&values[i])
		if byID[id] == nil {
			ids = append(ids, id)
		}
		byID[id] = append(byID[id], &values[i])
	}
	for range maxRaces {
		ops, err := mergeHeld(ctx, s, k, ids, byID)
		if err != nil {
			return err
		}
		if err := s.bulk(ctx, ops); err != nil {
			return err
		}
		ids = ids[:0]
		for _, o := range ops {
			switch {
			case o.err == nil:
			case o.err.Status == http.StatusConflict:
				ids = append(ids, o.id)
			default:
				return fmt.Errorf("put %s: %w", k.kind, o.err)
			}
		}
		if len(ids) == 0 {
			return nil
		}
	}
	return lastnight.Errorf(lastnight.CodeConflict, "try again", "%d %s were changed by others each time", len(ids), k.kind)
}

// mergeHeld makes the operations for values that change anything.
func mergeHeld[T any](ctx context.Context, s *Store, k kept[T], ids []string, byID map[string][]*T) ([]*op, error) {
	have, err := s.getMany(ctx, s.index(k.kind), ids)
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", k.kind, err)
	}
	var ops []*op
	for i, id := range ids {
		o := &op{action: "create", index: s.index(k.kind), id: id}
		v, rest, was := *byID[id][0], byID[id][1:], ""
		if h := have[i]; h.Found {
			o.action, o.seq, o.term = "index", h.Seq, h.Term
			var old T
			if err := unwrap(h.Source, &old); err != nil {
				return nil, fmt.Errorf("%s %s: %w", k.kind, id, err)
			}
			b, err := json.Marshal(&old)
			if err != nil {
				return nil, fmt.Errorf("%s %s: encode: %w", k.kind, id, err)
			}
			v, rest, was = old, byID[id], string(b)
		}
		for _, r := range rest {
			k.merge(&v, r)
		}
		source, body, err := wrap(&v, k.fields(&v))
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", k.kind, id, err)
		}
		if body == was {
			continue
		}
		o.source = source
		ops = append(ops, o)
	}
	return ops, nil
}

// field is a value as a field for looking up; where it is too long for one, "" leaves it out.
func field(v string) string {
	if v = strings.ToValidUTF8(v, "\ufffd"); len(v) > maxKeyword {
		return ""
	}
	return v
}

// isField narrows to documents whose field is value, if that is a thing to look up.
func isField(name, value string) object {
	if v := field(value); v != "" {
		return isTerm(name, v)
	}
	return nil
}
