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

// Whenever the world stops, at any operation, while it is used, opened again or opened once more, the spool has every frame that
// Put returned of and that was not done, whole and in order.
func TestCrash(t *testing.T) {
	for _, segment := range []int64{1 << 20, 600} { // all in one segment; two frames in each
		for after := 0; ; after++ {
			fs := vfs.NewMem()
			s, err := spool.OpenSmall(fs, segment)
			if err != nil {
				t.Fatal(err)
			}
			fs.FailAfter(after)
			put, done, tried, finished := script(s)
			for how, crash := range crashes {
				for again := 0; ; again++ { // opening may crash, too
					disk := crash(fs)
					disk.FailAfter(again)
					_, err := spool.OpenSmall(disk, segment)
					check(t, fmt.Sprintf("crash after %d and %d (%s)", after, again, how), crash(disk), put, done, tried)
					if err == nil {
						break
					}
				}
			}
			if finished {
				if fs.Ops() > after+1 {
					t.Errorf("%d operations, and crashes after %d of them", fs.Ops(), after)
				}
				t.Logf("segments of %d: %d operations, a crash after each", segment, fs.Ops())
				break
			}
		}
	}
}

// crashes is what a power cut may do to what was not synced.
var crashes = map[string]func(*vfs.Mem) *vfs.Mem{
	"lost": func(m *vfs.Mem) *vfs.Mem { return m.Crash(false) },
	"kept": func(m *vfs.Mem) *vfs.Mem { return m.Crash(true) },
	"torn": (*vfs.Mem).CrashTorn,
}

// check opens what a crash has left.
func check(t *testing.T, when string, fs *vfs.Mem, put, done, tried int) {
	t.Helper()
	again := open(t, fs)
	if len(again.Damages()) != 0 {
		t.Fatalf("%s: a torn frame counts as damage", when)
	}
	got := drain(t, again)
	for i, body := range got { // what comes: a run of frames that ends at the last one tried at most
		first := -1
		if _, err := fmt.Sscanf(got[0], "frame %d", &first); err != nil {
			t.Fatal(err)
		}
		if body != string(frame(first+i).Body) || first+i >= tried {
			t.Fatalf("%s: frame %d is %.20q", when, i, body)
		}
	}
	for i := done; i < put; i++ {
		if !slices.Contains(got, string(frame(i).Body)) {
			t.Fatalf("%s: frame %d of %d put and %d done is gone", when, i, put, done)
		}
	}
	if err := again.Put(frame(1)); err != nil {
		t.Fatal(err)
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

// A bit that turns anywhere in the last frame that was synced is damage, and not taken for a torn write.
func TestDamageAtTheEnd(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, fs)
	var ends []int64
	for i := range 2 {
		if err := s.Put(frame(i)); err != nil {
			t.Fatal(err)
		}
		ends = append(ends, s.Bytes())
	}
	const name = "spool/0000000000000001.spool"
	for at := ends[0]; at < ends[1]-16; at++ { // but for the mark itself
		disk := fs.Crash(true)
		if err := disk.Corrupt(name, func(b []byte) []byte { b[at] ^= 4; return b }); err != nil {
			t.Fatal(err)
		}
		again := open(t, disk.Crash(true))
		if d := again.Damages(); len(d) != 1 || again.Frames() != 1 {
			t.Fatalf("a bit of byte %d: %d frames, damage %+v", at, again.Frames(), d)
		}
	}
}

func TestDump(t *testing.T) {
	fs := vfs.NewMem()
	s := open(t, fs)
	for i := range 3 {
		if err := s.Put(frame(i)); err != nil {
			t.Fatal(err)
		}
	}
	f, err := fs.Open("spool/0000000000000001.spool")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := spool.Dump(&out, f, s.Bytes(), 1); err != nil {
		t.Fatal(err)
	}
	for want, n := range map[string]int{`"synced": true`: 3, `"encoding": "zstd"`: 3, `"kind": "spool"`: 1, `"body_bytes": 8`: 1, `"generation"`: 3, "state": 0} {
		if strings.Count(out.String(), want) != n {
			t.Errorf("%s is not there %d times:\n%s", want, n, &out)
		}
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
