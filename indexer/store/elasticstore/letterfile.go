package elasticstore

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"lastnight"
)

// maxDeadBytes bounds the dead-letter file: when it is full, Index fails instead.
const maxDeadBytes = 256 << 20

// fileLetters is a file of them, a JSON object a line.
type fileLetters struct {
	name string // immutable: after a retry the file was opened by another
	mu   sync.Mutex
	file *os.File // guarded by mu, as size is
	size int64
}

var _ letterbox = (*fileLetters)(nil)

func openFileLetters(name string) (*fileLetters, error) {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open dead-letter file: %w", err)
	}
	st, err := f.Stat()
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open dead-letter file: %w", err), f.Close())
	}
	return &fileLetters{name: name, file: f, size: st.Size()}, nil
}

func (l *fileLetters) put(_ context.Context, letters []DeadLetter) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.append(letters)
}

// append writes and syncs; mu is held.
func (l *fileLetters) append(letters []DeadLetter) error {
	var b []byte
	for i := range letters {
		line, err := json.Marshal(&letters[i])
		if err != nil {
			return fmt.Errorf("encode dead letter %q: %w", letters[i].ID, err)
		}
		b = append(append(b, line...), '\n')
	}
	if l.size+int64(len(b)) > maxDeadBytes {
		return lastnight.Errorf(lastnight.CodeUnavailable, "look at the reasons in it, then put them again or remove it", "the dead-letter file %s is full", l.name)
	}
	n, err := l.file.Write(b)
	l.size += int64(n)
	if err := errors.Join(err, l.file.Sync()); err != nil {
		return fmt.Errorf("write dead-letter file: %w", err)
	}
	return nil
}

// retry puts what is refused still into a new file that replaces the old one: after an error
// the old one is as it was. put waits meanwhile.
func (l *fileLetters) retry(_ context.Context, again func([]DeadLetter) ([]DeadLetter, error)) (done, left int, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	in, err := os.Open(l.name)
	if err != nil {
		return 0, 0, fmt.Errorf("read dead-letter file: %w", err)
	}
	defer func() { _ = in.Close() }()
	next := &fileLetters{name: l.name}
	temp := l.name + ".tmp"
	if next.file, err = os.OpenFile(temp, os.O_CREATE|os.O_TRUNC|os.O_APPEND|os.O_WRONLY, 0o600); err != nil {
		return 0, 0, fmt.Errorf("write dead-letter file: %w", err)
	}
	r := bufio.NewReaderSize(in, 1<<20)
	for end := false; !end && err == nil; {
		var letters, refused []DeadLetter
		if letters, end, err = readLetters(r, l.name); err != nil {
			break
		}
		if refused, err = again(letters); err == nil && len(refused) > 0 {
			err = next.append(refused)
		}
		done, left = done+len(letters)-len(refused), left+len(refused)
	}
	if err == nil {
		err = os.Rename(temp, l.name)
	}
	if err != nil {
		return 0, 0, errors.Join(err, next.file.Close(), os.Remove(temp))
	}
	old := l.file
	l.file, l.size = next.file, next.size
	return done, left, old.Close()
}

// readLetters reads the next few lines; end tells that there are no more.
func readLetters(r *bufio.Reader, name string) (letters []DeadLetter, end bool, err error) {
	for len(letters) < retryBatch && !end {
		line, err := r.ReadBytes('\n') // the file is bounded, and so is a line
		if end = errors.Is(err, io.EOF); err != nil && !end {
			return nil, false, fmt.Errorf("read dead-letter file: %w", err)
		}
		if line = bytes.TrimSpace(line); len(line) == 0 {
			continue
		}
		var l DeadLetter
		if err := json.Unmarshal(line, &l); err != nil {
			return nil, false, lastnight.Errorf(lastnight.CodeInvalid, "mend or remove the line", "a line of %s is no dead letter: %.80q", name, line)
		}
		letters = append(letters, l)
	}
	return letters, end, nil
}

func (l *fileLetters) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.file.Close(); err != nil {
		return fmt.Errorf("close dead-letter file: %w", err)
	}
	return nil
}
