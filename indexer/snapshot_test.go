package indexer

import (
	"bytes"
	"errors"
	"testing"

	"lastnight/clusterer"
)

// TestSnapshots: packed ones and those from before they were packed come back; damaged ones are told.
func TestSnapshots(t *testing.T) {
	c := clusterer.New(clusterer.Config{})
	want := c.Add([]byte("took 15 ms for 3 files"), nil, nil).ID
	var raw bytes.Buffer
	if err := c.Snapshot(&raw); err != nil {
		t.Fatal(err)
	}
	packed, err := packSnapshot(raw.Bytes())
	if err != nil {
		t.Fatal(err)
	}
	for name, b := range map[string][]byte{"packed": packed, "raw": raw.Bytes()} {
		again := clusterer.New(clusterer.Config{})
		if err := restore(again, b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if m := again.Add([]byte("took 16 ms for 3 files"), nil, nil); m.New || m.ID != want {
			t.Errorf("%s: the template is not known any more", name)
		}
	}
	if err := restore(clusterer.New(clusterer.Config{}), packed[:len(packed)-3]); !errors.Is(err, clusterer.ErrCorrupt) {
		t.Errorf("a cut snapshot gives %v", err)
	}
}
