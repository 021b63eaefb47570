package tail

import (
	"cmp"
	"slices"
	"strings"
	"time"
)

// sized notes a file's size.
func (f *follow) sized(size int64, now time.Time) {
	if size != f.size {
		f.size, f.grown = size, now
	}
	f.most = max(f.most, size)
}

// skip tells whether a file is to be left alone for now. Rotation takes away what has been renamed, and
// what has been removed is only held by us.
func (t *Tailer) skip(f *follow) bool {
	if t.cfg.Skip == nil || !t.cfg.Skip(f.gone || !strings.HasSuffix(f.path, ".log")) {
		return false
	}
	if info, err := f.file.Stat(); err == nil {
		f.sized(info.Size(), time.Now())
	}
	f.dirty = true
	return true
}

// letGo closes files that were removed, the longest gone first, while they take more than they may.
func (t *Tailer) letGo() {
	var held int64
	var gone []fileID
	for id, f := range t.files {
		if f.gone {
			held += f.size
			gone = append(gone, id)
		}
	}
	if held <= t.cfg.MaxHeld {
		return
	}
	slices.SortFunc(gone, func(a, b fileID) int {
		return cmp.Or(t.files[a].left.Compare(t.files[b].left), cmp.Compare(t.files[a].path, t.files[b].path))
	})
	for _, id := range gone {
		if held <= t.cfg.MaxHeld {
			return
		}
		f := t.files[id]
		held -= f.size
		t.lost(f, f.size, "the file was removed, and removed files took too much space")
		_ = f.file.Close()
		delete(t.files, id)
	}
}

// lost tells of what was not read of a file, up to where it once reached.
func (t *Tailer) lost(f *follow, to int64, why string) {
	if to <= f.at {
		return
	}
	t.mu.Lock()
	t.stats.Lost += to - f.at
	t.mu.Unlock()
	t.log.Error("lines are lost", "file", f.path, "bytes", to-f.at, "reason", why)
	if t.cfg.Lost != nil {
		t.cfg.Lost(*f.stream, f.gen, f.at, to, why)
	}
}

// measure tells how much there is to read still.
func (t *Tailer) measure() {
	var behind, held int64
	for _, f := range t.files {
		if f.size > f.at && f.ended != f.size && !isCompressed(f.path) {
			behind += f.size - f.at
		}
		if f.gone {
			held += f.size
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.stats.Behind, t.stats.Held = behind, held
}
