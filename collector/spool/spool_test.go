package spool_test

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"lastnight"
	"lastnight/collector/spool"
	"lastnight/internal/vfs"
)

func open(t *testing.T, fs vfs.FS) *spool.Spool {
	t.Helper()
	s, err := spool.Open(spool.Config{FS: fs, MaxBytes: 1 << 30})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

var gen = lastnight.Generation{Start: 1, Sum: 2}

func frame(i int) *spool.Frame {
	return &spool.Frame{
		Ranges:   []spool.Range{{Stream: lastnight.Stream{Pod: "p"}, Generation: gen, From: int64(i), To: int64(i + 1)}},
		Encoding: "zstd", Raw: 7, Body: fmt.Appendf(nil, "frame %d %s", i, strings.Repeat("x", i*100)),
	}
}

// drain takes all frames out.
func drain(t *testing.T, s *spool.Spool) []string {
	t.Helper()
	var out []string
	for {
		f, err := s.Next()
		if err != nil {
			t.Fatal(err)
		}
		if f == nil {
			return out
		}
		out = append(out, string(f.Body))
		if f.Raw != 7 || f.Encoding != "zstd" || len(f.Ranges) != 1 {
			t.Fatalf("%+v", f)
		}
		if err := s.Done(f); err != nil {
			t.Fatal(err)
		}
	}
}

func TestInAndOut(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, fs)
	var want []string
	for i := range 5 {
		if err := s.Put(frame(i)); err != nil {
			t.Fatal(err)
		}
		want = append(want, string(frame(i).Body))
	}
	if got := s.Position(lastnight.Stream{Pod: "p"}, gen); got != 5 {
		t.Error(got)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	s = open(t, fs)
	if got := s.Position(lastnight.Stream{Pod: "p"}, gen); got != 5 || s.Frames() != 5 {
		t.Error(got, s.Frames())
	}
	if got := drain(t, s); !slices.Equal(got, want) {
		t.Errorf("got %d frames of %d", len(got), len(want))
	}
	files, err := fs.List(".")
	if err != nil || len(files) != 0 || s.Bytes() != 0 || s.Position(lastnight.Stream{Pod: "p"}, gen) != 0 {
		t.Errorf("%v left, %d bytes: %v", files, s.Bytes(), err)
	}
}

// Whenever the world stops, the spool has every frame that Put returned of and that was not done,
// whole and in order.
func TestCrash(t *testing.T) {
	for after := 0; ; after++ {
		fs := vfs.NewMem()
		s := open(t, fs)
		fs.FailAfter(after)
		put, done, tried, finished := script(s)
		for _, lucky := range []bool{false, true} {
			again := open(t, fs.Crash(lucky))
			if len(again.Damages()) != 0 {
				t.Fatalf("crash after %d: a torn frame counts as damage", after)
			}
			got := drain(t, again)
			for i, body := range got { // what comes: a run of frames that ends at the last one tried at most
				first := -1
				if _, err := fmt.Sscanf(got[0], "frame %d", &first); err != nil {
					t.Fatal(err)
				}
				if body != string(frame(first+i).Body) || first+i >= tried {
					t.Fatalf("crash after %d: frame %d is %.20q", after, i, body)
				}
			}
			for i := done; i < put; i++ {
				if !slices.Contains(got, string(frame(i).Body)) {
					t.Fatalf("crash after %d: frame %d of %d put and %d done is gone", after, i, put, done)
				}
			}
			if err := again.Put(frame(1)); err != nil {
				t.Fatal(err)
			}
		}
		if finished {
			return
		}
	}
}

// script puts frames and takes some out until something fails.
func script(s *spool.Spool) (put, done, tried int, finished bool) {
	for i := range 8 {
		tried = i + 1
		if s.Put(frame(i)) != nil {
			return put, done, tried, false
		}
		put = i + 1
		if i%3 != 2 {
			continue
		}
		for range 2 {
			f, err := s.Next()
			if err != nil || f == nil {
				return put, done, tried, false
			}
			done++ // once asked for, it may be gone or not
			if s.Done(f) != nil {
				return put, done, tried, false
			}
		}
	}
	return put, done, tried, true
}

func TestFull(t *testing.T) {
	fs := vfs.NewMem()
	s, err := spool.Open(spool.Config{FS: fs, MaxBytes: 2000})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for ; ; n++ {
		if err := s.Put(frame(3)); err != nil {
			if !errors.Is(err, spool.ErrFull) {
				t.Fatal(err)
			}
			break
		}
	}
	if n < 2 || s.Bytes() > 2000 {
		t.Errorf("%d frames, %d bytes", n, s.Bytes())
	}
	if got := drain(t, s); len(got) != n {
		t.Errorf("%d frames", len(got))
	}
	if err := s.Put(frame(3)); err != nil {
		t.Error(err)
	}
}

// A full disk costs the frame that did not fit and no other.
func TestDiskFull(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, fs)
	if err := s.Put(frame(1)); err != nil {
		t.Fatal(err)
	}
	fs.SetSpace(40)
	if err := s.Put(frame(2)); err == nil || errors.Is(err, spool.ErrFull) {
		t.Errorf("%v", err)
	}
	fs.SetSpace(-1)
	if err := s.Put(frame(3)); err != nil {
		t.Fatal(err)
	}
	want := []string{string(frame(1).Body), string(frame(3).Body)}
	if got := drain(t, open(t, fs)); !slices.Equal(got, want) {
		t.Errorf("%.40q", got)
	}
}

// Damage in the middle is told of, with its size; what came before it is there.
func TestDamage(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, fs)
	for i := range 4 {
		if err := s.Put(frame(i)); err != nil {
			t.Fatal(err)
		}
	}
	files, err := fs.List("spool")
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	err = fs.Corrupt(files[0].Name, func(b []byte) []byte {
		b[bytes.Index(b, []byte("frame 2"))]++
		return b
	})
	if err != nil {
		t.Fatal(err)
	}
	again := open(t, fs)
	if got := drain(t, again); len(got) != 2 {
		t.Errorf("%.40q", got)
	}
	if d := again.Damages(); len(d) != 1 || d[0].Bytes < 500 {
		t.Errorf("%+v", d)
	}
}

// A spool that is open notices damage, too, and goes on behind it.
func TestDamageWhileOpen(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, fs)
	for i := range 3 {
		if err := s.Put(frame(i)); err != nil {
			t.Fatal(err)
		}
	}
	err := fs.Corrupt("spool/0000000000000001.spool", func(b []byte) []byte {
		b[bytes.Index(b, []byte("frame 0"))]++
		return b
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := drain(t, s); len(got) != 2 || len(s.Damages()) != 1 {
		t.Errorf("%.40q", got)
	}
}

func TestVersion(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, fs)
	if err := s.Put(frame(1)); err != nil {
		t.Fatal(err)
	}
	if err := fs.Corrupt("spool/0000000000000001.spool", func(b []byte) []byte { b[8] = 9; return b }); err != nil {
		t.Fatal(err)
	}
	if _, err := spool.Open(spool.Config{FS: fs, MaxBytes: 1 << 30}); err == nil || !strings.Contains(err.Error(), "unknown version 9") {
		t.Error(err)
	}
}

func FuzzOpen(f *testing.F) {
	fs := vfs.NewMem()
	s, err := spool.Open(spool.Config{FS: fs, MaxBytes: 1 << 20})
	if err != nil {
		f.Fatal(err)
	}
	for i := range 3 {
		if err := s.Put(frame(i)); err != nil {
			f.Fatal(err)
		}
	}
	h, err := fs.Open("spool/0000000000000001.spool")
	if err != nil {
		f.Fatal(err)
	}
	size, err := h.Size()
	if err != nil {
		f.Fatal(err)
	}
	data := make([]byte, size)
	if _, err := h.ReadAt(data, 0); err != nil {
		f.Fatal(err)
	}
	f.Add(data)
	f.Fuzz(func(t *testing.T, data []byte) {
		fs := vfs.NewMem()
		h, err := fs.Create("spool/0000000000000001.spool")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := h.Write(data); err != nil {
			t.Fatal(err)
		}
		s, err := spool.Open(spool.Config{FS: fs, MaxBytes: 1 << 20})
		if err != nil {
			return
		}
		for {
			f, err := s.Next()
			if err != nil {
				t.Fatal(err)
			}
			if f == nil {
				break
			}
			if err := s.Done(f); err != nil {
				t.Fatal(err)
			}
		}
		if s.Bytes() != 0 {
			t.Errorf("%d bytes are left", s.Bytes())
		}
	})
}
