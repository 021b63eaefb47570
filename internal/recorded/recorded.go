// Package recorded holds real failures of Flink jobs on Kubernetes, recorded in
// a test cluster and small enough to ship: for the demo, and as test data with
// known answers (cases/README.md).
//
// Extract writes a case as it was recorded. Replay writes all of them moved in
// time, so that they happened last night. The cases are compiled in: nothing is
// read from disk. What is written is a few ten megabytes.
//
// For tests, ReadTimeline and Timeline.Play repeat a case as it happened, faster: files appear, grow,
// are rotated, compressed and removed, and Kubernetes tells what it told.
package recorded

import (
	"bytes"
	"context"
	"embed"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
)

//go:embed all:cases
var embedded embed.FS

// maxFileBytes bounds what one recorded file may decompress to.
const maxFileBytes = 64 << 20

// Names lists the cases, sorted.
func Names() []string {
	entries, err := embedded.ReadDir("cases")
	if err != nil { // cannot be: the folder is compiled in
		return nil
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}

// Extract writes the case into dir, which is made if it is missing: dir/nodes/…,
// dir/events.json.gz and so on, as it was recorded, with the node's own file names
// (the .zst that was added for storage is undone). Files that exist are overwritten.
func Extract(ctx context.Context, name, dir string) error {
	if !slices.Contains(Names(), name) {
		return fmt.Errorf("no recorded case %q; there are %s", name, strings.Join(Names(), ", "))
	}
	root, err := openRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }() // a handle on a folder: nothing to lose
	return Files(ctx, name, func(file string, data []byte) error {
		return write(root, file, data)
	})
}

// Files calls f with every file of a case, in order of their paths: its path inside
// the case, with the node's own name (without .zst), and its content (decompressed if
// it was a .zst), which f may keep and change. It stops at f's first error.
func Files(ctx context.Context, name string, f func(file string, data []byte) error) error {
	base := path.Join("cases", name)
	return fs.WalkDir(embedded, base, func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		data, err := embedded.ReadFile(p)
		if err != nil {
			return fmt.Errorf("read recorded file: %w", err)
		}
		file := strings.TrimPrefix(p, base+"/")
		if plain, ok := strings.CutSuffix(file, ".zst"); ok {
			file = plain
			if data, err = unzstd(data); err != nil {
				return fmt.Errorf("decompress recorded file %s: %w", p, err)
			}
		}
		return f(file, data)
	})
}

func unzstd(data []byte) ([]byte, error) {
	dec, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer dec.Close()
	return readCapped(dec)
}

// readCapped reads all of r, which may not be more than maxFileBytes.
func readCapped(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxFileBytes+1))
	if err == nil && len(data) > maxFileBytes {
		err = fmt.Errorf("larger than %d bytes", maxFileBytes)
	}
	return data, err
}

// openRoot makes dir and opens it so that nothing can be written outside of it.
func openRoot(dir string) (*os.Root, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make folder for recorded case: %w", err)
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open folder for recorded case: %w", err)
	}
	return root, nil
}

func write(root *os.Root, file string, data []byte) error {
	if err := root.MkdirAll(path.Dir(file), 0o750); err != nil {
		return fmt.Errorf("make folder of recorded file %s: %w", file, err)
	}
	if err := root.WriteFile(file, data, 0o640); err != nil {
		return fmt.Errorf("write recorded file %s: %w", file, err)
	}
	return nil
}
