package blevestore

import (
	"bytes"
	"encoding/binary"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"
)

// TestMappedLetsGo reads more of a file than a process may keep mapped, while others read it too.
func TestMappedLetsGo(t *testing.T) {
	m, err := openMapped(Config{Dir: t.TempDir(), LockWait: time.Second}, documentsFile)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	}()
	const n = 2 * maxMapped >> 16
	value := func(i int) []byte { return bytes.Repeat([]byte{byte(i), byte(i >> 8)}, 1<<15) }
	key := func(i int) []byte { return binary.BigEndian.AppendUint32(nil, uint32(i)) }
	err = m.Update(func(tx *bolt.Tx) error {
		b, err := tx.CreateBucket([]byte("b"))
		if err != nil {
			return err
		}
		for i := range n {
			if err := b.Put(key(i), value(i)); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	readAll := func() error {
		return m.View(func(tx *bolt.Tx) error {
			for i := range n {
				if !bytes.Equal(tx.Bucket([]byte("b")).Get(key(i)), value(i)) {
					t.Errorf("value %d is another one", i)
				}
			}
			m.touch(tx, n<<16)
			return nil
		})
	}
	done := make(chan error)
	go func() { done <- readAll() }()
	if err := readAll(); err != nil {
		t.Error(err)
	}
	if err := <-done; err != nil {
		t.Error(err)
	}
	if held := mappedBytes(t, documentsFile); held > maxMapped {
		t.Errorf("%d bytes of the file are in memory when nobody reads it", held)
	}
}

// mappedBytes gives how much of a file is in the process's memory.
func mappedBytes(t *testing.T, name string) (held int64) {
	t.Helper()
	maps, err := os.ReadFile("/proc/self/smaps")
	if err != nil {
		t.Skip(err)
	}
	ours := false
	for line := range strings.Lines(string(maps)) {
		fields := strings.Fields(line)
		switch {
		case len(fields) >= 5 && strings.Contains(fields[0], "-"): // memory without a file has no sixth
			ours = strings.HasSuffix(fields[len(fields)-1], name)
		case ours && fields[0] == "Rss:":
			kb, err := strconv.ParseInt(fields[1], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			held += kb << 10
		}
	}
	return held
}
