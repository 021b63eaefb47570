package archive

import (
	"context"
	"fmt"

	"lastnight"
)

// Copy puts the files of an archive into other Blobs and gives how many there are and their
// bytes. Files never change, so one that is there in the same length is left: it may be
// called again after any interruption. A target with a file that the source has not is
// refused (CodeConflict). In the end the lists are compared. Nobody may write to either meanwhile.
// progress is told what is there by now.
func Copy(ctx context.Context, from, to Blobs, progress func(files int, bytes int64)) (files int, bytes int64, err error) {
	want, err := sizes(ctx, from)
	if err != nil {
		return 0, 0, err
	}
	have, err := sizes(ctx, to)
	if err != nil {
		return 0, 0, err
	}
	for name := range have {
		if _, ok := want[name]; !ok {
			return 0, 0, lastnight.Errorf(lastnight.CodeConflict, "name an empty bucket or folder", "the target holds %s already, which the source has not", name)
		}
	}
	for name, size := range want {
		if is, ok := have[name]; !ok || is != size {
			data, err := from.Get(ctx, name, 0, size)
			if err == nil {
				err = to.Put(ctx, name, data)
			}
			if err != nil {
				return files, bytes, fmt.Errorf("copy %s: %w", name, err)
			}
		}
		files, bytes = files+1, bytes+size
		progress(files, bytes)
	}
	if have, err = sizes(ctx, to); err != nil {
		return files, bytes, err
	}
	for name, size := range want {
		if have[name] != size {
			return files, bytes, lastnight.Errorf(lastnight.CodeInternal, "see whether somebody else writes there", "%s has %d bytes in the target, should have %d", name, have[name], size)
		}
	}
	return files, bytes, nil
}

func sizes(ctx context.Context, b Blobs) (map[string]int64, error) {
	all := map[string]int64{}
	for info, err := range b.List(ctx, "") {
		if err != nil {
			return nil, fmt.Errorf("list files: %w", err)
		}
		all[info.Name] = info.Size
	}
	return all, nil
}
