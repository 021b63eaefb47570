package elasticstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"lastnight"
)

// Indices of an older format are read as they are. Before something is written to one, it is made anew in
// today's format, by these steps, of which each may be repeated and several servers may be at one:
//
//  1. The old index takes no writes any more; a server of the older version waits, as if it were full.
//  2. The new index is made, with an alias that says that it is being filled.
//  3. Documents are put through that alias, and only where the new index has none of the id.
//  4. In one step, the new index takes the old one's place in the kind's alias, and is not being
//     filled any more: another server that still was filling it finds the alias gone, and stops.
//
// What is in the kind's alias counts; nothing else is read. Fixed indices are upgraded when a store is
// opened, a day's when it is written to. The old index stays, closed for writing, until retention
// drops the day, or an administrator the fixed one.

// aliasOf names what all whole indices of a kind are behind.
func (s *Store) aliasOf(kind string) string { return s.cfg.Prefix + "-" + kind }

// partsOfName takes an index name of ours apart; day is "" of a fixed one. ok is false for other names.
func (s *Store) partsOfName(name string) (kind string, version int, day string, ok bool) {
	rest, ok := strings.CutPrefix(name, s.cfg.Prefix+"-")
	kind, rest, ok2 := strings.Cut(rest, "-v")
	number, day, _ := strings.Cut(rest, "-")
	version, err := strconv.Atoi(number)
	return kind, version, day, ok && ok2 && err == nil
}

// dayOfName is the day of a daily index.
func (s *Store) dayOfName(name string) string {
	_, _, day, _ := s.partsOfName(name)
	return day
}

// older gives the index of an older format in whose place a name's index is to come, "" if none.
func (s *Store) older(ctx context.Context, name string) (string, error) {
	kind, version, day, _ := s.partsOfName(name)
	names, err := s.indices(ctx, kind)
	if err != nil {
		return "", err
	}
	for _, n := range names {
		if _, v, d, ok := s.partsOfName(n); ok && d == day && v < version {
			return n, nil
		}
	}
	return "", nil
}

// upgrade makes the index anew in whose place an older one is.
func (s *Store) upgrade(ctx context.Context, old, name string) error {
	kind, _, _, _ := s.partsOfName(name)
	filling := name + "-filling"
	s.cfg.Logger.Info("index of an older format is made anew", "index", old, "as", name)
	if _, err := s.call(ctx, request{method: http.MethodPut, path: "/" + old + "/_block/write"}); err != nil {
		return fmt.Errorf("close %s for writing: %w", old, err)
	}
	if err := s.create(ctx, name, filling); err != nil && !exists(err) {
		return err
	}
	if err := s.fill(ctx, kind, old, filling); err != nil {
		return fmt.Errorf("fill %s from %s: %w", name, old, err)
	}
	want, err := s.countFound(ctx, old, nil)
	if err != nil {
		return err
	}
	if have, err := s.countFound(ctx, name, nil); err != nil || have < want {
		return errors.Join(err, lastnight.Errorf(lastnight.CodeInternal, "see the log of Elasticsearch; nothing was lost, try again", "%s has %d documents, %s had %d", name, have, old, want))
	}
	body, err := json.Marshal(object{"actions": []object{
		{"remove": object{"index": old, "alias": s.aliasOf(kind)}},
		{"add": object{"index": name, "alias": s.aliasOf(kind)}},
		{"remove": object{"index": name, "alias": filling, "must_exist": true}},
	}})
	if err != nil {
		return fmt.Errorf("encode aliases: %w", err)
	}
	if _, err = s.call(ctx, request{method: http.MethodPost, path: "/_aliases", body: body}); err != nil {
		if left, e := s.older(ctx, name); e == nil && left == "" {
			return nil // somebody else was quicker, or the answer was lost
		}
		return fmt.Errorf("put %s in the place of %s: %w", name, old, err)
	}
	return nil
}

// fill puts what old holds through the alias. It ends early where that alias is gone: then all is there.
func (s *Store) fill(ctx context.Context, kind, old, alias string) error {
	var ops []*op
	done := false
	flush := func() error {
		err := s.bulk(ctx, ops)
		for _, o := range ops {
			switch {
			case o.err == nil || o.err.Status == http.StatusConflict:
			case o.err.Status == http.StatusNotFound:
				done = true
			case err == nil:
				err = fmt.Errorf("%q: %w", o.id, o.err)
			}
		}
		ops = ops[:0]
		return err
	}
	for h, err := range s.find(ctx, []string{old}, find{sort: byDoc}) {
		if err != nil {
			return err
		}
		source, err := modern(kind, h.Source)
		if err != nil {
			return fmt.Errorf("%q: %w", h.ID, err)
		}
		if ops = append(ops, &op{action: "create", index: alias, alias: true, id: h.ID, source: source}); len(ops) < pageSize {
			continue
		}
		if err := flush(); err != nil || done {
			return err
		}
	}
	return flush()
}

// modern makes what an index of any known format holds as today's does. The words and terms of documents
// are not in what comes back: they are made again. The other kinds have not changed.
func modern(kind string, source json.RawMessage) ([]byte, error) {
	if kind != kindDocuments {
		return source, nil
	}
	d, err := decodeDocument(source)
	if err != nil {
		return nil, err
	}
	return encodeDocument(&d)
}

// create makes an index as its template says, behind an alias.
func (s *Store) create(ctx context.Context, name, alias string) error {
	body, err := json.Marshal(object{"aliases": object{alias: object{}}})
	if err != nil {
		return fmt.Errorf("encode aliases: %w", err)
	}
	_, err = s.call(ctx, request{method: http.MethodPut, path: "/" + name, body: body})
	return err
}

func exists(err error) bool {
	e, ok := errors.AsType[*apiError](err)
	return ok && e.Type == "resource_already_exists_exception"
}

// dropLeftBehind removes the daily indices of older formats, before a day, in whose place others came.
func (s *Store) dropLeftBehind(ctx context.Context, kind, day string) error {
	all, err := s.named(ctx, s.aliasOf(kind)+"-v*")
	if err != nil {
		return err
	}
	current, err := s.indices(ctx, kind)
	if err != nil {
		return err
	}
	for _, name := range all {
		if d := s.dayOfName(name); d != "" && d < day && !slices.Contains(current, name) {
			if err := s.removeIndex(ctx, name); err != nil {
				return err
			}
		}
	}
	return nil
}
