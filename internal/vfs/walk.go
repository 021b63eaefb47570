package vfs

import (
	"errors"
	"io"
	"io/fs"
	"iter"
	"path"
	"slices"
)

const (
	// walkNames is how many names of a folder Walk holds, half as many more while it reads them. A folder with more is read again for each so many.
	walkNames = 1 << 17
	// walkBatch is how many names are read at once.
	walkBatch = 1 << 10
)

// Walk gives the regular files right in a folder, by name.
func (o *OS) Walk(dir string) iter.Seq2[Info, error] {
	return func(yield func(Info, error) bool) {
		last := ""
		for more := true; more; {
			var names []string
			var err error
			if names, more, err = o.namesAfter(dir, last, walkNames); err != nil {
				if !errors.Is(err, fs.ErrNotExist) {
					yield(Info{}, err)
				}
				return
			}
			for _, name := range names {
				last = name
				info, err := o.root.Lstat(path.Join(dir, name))
				if errors.Is(err, fs.ErrNotExist) {
					continue // gone between being listed and being looked at
				}
				if err == nil && !info.Mode().IsRegular() {
					continue
				}
				var out Info
				if err == nil {
					out = Info{Name: path.Join(dir, name), Size: info.Size()}
				}
				if !yield(out, err) || err != nil {
					return
				}
			}
		}
	}
}

// namesAfter gives the first names in a folder after one, in order, as many as limit says, and whether there are others.
func (o *OS) namesAfter(dir, after string, limit int) (names []string, more bool, err error) {
	f, err := o.root.Open(dir)
	if err != nil {
		return nil, false, err
	}
	defer func() { _ = f.Close() }() // only read
	for {
		batch, err := f.Readdirnames(walkBatch)
		for _, name := range batch {
			if name > after {
				names = append(names, name)
			}
		}
		if len(names) >= limit*3/2 || err != nil {
			if slices.Sort(names); len(names) > limit {
				clear(names[limit:])
				names, more = names[:limit], true
			}
		}
		if errors.Is(err, io.EOF) {
			return names, more, nil
		}
		if err != nil {
			return nil, false, err
		}
	}
}
