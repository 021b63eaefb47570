package indexer

import (
	"bytes"
	"errors"
	"fmt"
	"testing"

	"lastnight/clusterer"
	"lastnight/indexer/store"
	"lastnight/indexer/store/blevestore"
)

// shardOf is a clusterer that has seen a few lines, and its snapshot.
func shardOf(t *testing.T, n int) (id string, raw []byte) {
	t.Helper()
	c := clusterer.New(clusterer.Config{})
	for _, line := range []string{
		"Completed checkpoint 17 for job orders in 12 ms", "Opened the connection to broker 3 after 15 retries",
		"Removed the lock of the owner at 10.0.0.1:8080", "The heartbeat of TaskManager 12 timed out",
	} {
		c.Add([]byte(line), nil, nil)
	}
	id = c.Add(fmt.Appendf(nil, "took 15 ms for 3 files of workload%c%c", 'a'+n%26, 'a'+n/26), nil, nil).ID
	var b bytes.Buffer
	if err := c.Snapshot(&b); err != nil {
		t.Fatal(err)
	}
	return id, b.Bytes()
}

func openStore(t *testing.T) store.Exact {
	t.Helper()
	s, err := blevestore.Open(t.Context(), blevestore.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// TestSnapshots: packed ones, alone and with a dictionary, come back, in another process too; damaged ones are told.
func TestSnapshots(t *testing.T) {
	exact := openStore(t)
	snaps := newSnapshots(exact)
	var ids []string
	var packed [][]byte
	for i := 0; len(ids) < 600; i++ {
		id, raw := shardOf(t, i)
		b, err := snaps.pack(t.Context(), fmt.Sprint("shop/", i), raw)
		if err != nil {
			t.Fatal(err)
		}
		ids, packed = append(ids, id), append(packed, b)
	}
	first, last := packed[0], packed[len(packed)-1]
	if len(last)*2 > len(first) {
		t.Errorf("with a dictionary %d bytes, without one %d", len(last), len(first))
	}
	again := newSnapshots(exact)
	for i, b := range packed {
		c := clusterer.New(clusterer.Config{})
		if err := again.restore(t.Context(), c, b); err != nil {
			t.Fatalf("shard %d: %v", i, err)
		}
		if _, ok := c.Template(ids[i]); !ok {
			t.Fatalf("shard %d has lost its template", i)
		}
	}
	_, raw := shardOf(t, 599)
	b, err := again.pack(t.Context(), "shop/599", raw)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b, last) {
		t.Error("another process packs with another dictionary")
	}
	for name, b := range map[string][]byte{"alone": first[:len(first)-3], "with a dictionary": last[:len(last)-3], "head": last[:5]} {
		if err := snaps.restore(t.Context(), clusterer.New(clusterer.Config{}), b); !errors.Is(err, clusterer.ErrCorrupt) {
			t.Errorf("%s: a cut snapshot gives %v", name, err)
		}
	}
}

// TestSnapshotWithoutItsDictionary: what cannot be read any more is told as damaged, so that the shard learns anew.
func TestSnapshotWithoutItsDictionary(t *testing.T) {
	for name, spoil := range map[string]func(s store.Exact, key string) error{
		"gone": func(s store.Exact, key string) error { return s.Delete(t.Context(), dictionaryBucket, key) },
		"damaged": func(s store.Exact, key string) error {
			_, err := s.Put(t.Context(), dictionaryBucket, key, []byte("something else"), -1)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			exact := openStore(t)
			snaps := newSnapshots(exact)
			_, raw := shardOf(t, 1)
			if err := snaps.found(t.Context(), bytes.Repeat(raw, 4)); err != nil {
				t.Fatal(err)
			}
			packed, err := snaps.pack(t.Context(), "shop/a", raw)
			if err != nil {
				t.Fatal(err)
			}
			key := dictionaryKey(dictionaryID(bytes.Repeat(raw, 4)))
			if err := spoil(exact, key); err != nil {
				t.Fatal(err)
			}
			again := newSnapshots(exact)
			if err := again.restore(t.Context(), clusterer.New(clusterer.Config{}), packed); !errors.Is(err, clusterer.ErrCorrupt) {
				t.Errorf("restore gives %v, want ErrCorrupt", err)
			}
			if _, err := again.pack(t.Context(), "shop/a", raw); err != nil {
				t.Errorf("nothing is packed any more: %v", err)
			}
		})
	}
}
