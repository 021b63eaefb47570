package auth

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"lastnight"
)

const (
	lookEvery    = time.Second // files are looked at at most so often
	maxFileBytes = 1 << 20
)

// watched is what files say, read again when they change. Whole files are compared, not
// their times: a Kubernetes secret is swapped by a link, and two writes may fall into one tick of the clock.
type watched[T any] struct {
	paths []string
	parse func(contents [][]byte) (T, error)
	fail  func(error) // told once of each content that does not parse; nil: nobody

	mu     sync.Mutex // all below
	value  T
	last   [][]byte // what was parsed last, well or not
	looked time.Time
	broken string // the last error of reading
}

// open reads the files for the first time; then an error is one.
func (w *watched[T]) open() error {
	contents, err := w.read()
	if err != nil {
		return err
	}
	w.value, err = w.parse(contents)
	w.last, w.looked = contents, time.Now()
	return err
}

// get gives what the files say, or said when they last parsed.
func (w *watched[T]) get() T {
	w.mu.Lock()
	defer w.mu.Unlock()
	if now := time.Now(); now.Sub(w.looked) >= lookEvery || now.Before(w.looked) {
		w.looked = now
		w.look()
	}
	return w.value
}

func (w *watched[T]) look() {
	contents, err := w.read()
	if err != nil {
		if w.broken != err.Error() {
			w.tell(err)
		}
		w.broken = err.Error()
		return
	}
	w.broken = ""
	same := len(contents) == len(w.last)
	for i := range contents {
		same = same && bytes.Equal(contents[i], w.last[i])
	}
	if same {
		return
	}
	w.last = contents
	value, err := w.parse(contents)
	if err != nil {
		w.tell(err)
		return
	}
	w.value = value
}

func (w *watched[T]) tell(err error) {
	if w.fail != nil {
		w.fail(err)
	}
}

func (w *watched[T]) read() ([][]byte, error) {
	contents := make([][]byte, len(w.paths))
	for i, path := range w.paths {
		var err error
		if contents[i], err = readFile(path); err != nil {
			return nil, err
		}
	}
	return contents, nil
}

// readFile reads a file of settings, which is small.
func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "name a file that may be read", "%w", err)
	}
	defer func() { _ = f.Close() }()
	b, err := io.ReadAll(io.LimitReader(f, maxFileBytes+1))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	if len(b) > maxFileBytes {
		return nil, lastnight.Errorf(lastnight.CodeTooLarge, "", "%s has more than %d bytes", path, maxFileBytes)
	}
	return b, nil
}

// ReadSecret reads a file that holds one secret; white space around it does not count.
func ReadSecret(path string) ([]byte, error) {
	b, err := readFile(path)
	if err != nil {
		return nil, err
	}
	if b = bytes.TrimSpace(b); len(b) == 0 {
		return nil, lastnight.Errorf(lastnight.CodeInvalid, "put the secret into it", "%s is empty", path)
	}
	return b, nil
}
