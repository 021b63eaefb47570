package collector

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"lastnight"
)

// File is one log file of a stream.
type File struct {
	Path    string
	Stream  lastnight.Stream
	Rotated string // time in the name of a rotated file, "" if it is the present one
}

// maxSearchDepth is how deep cases and pod directories are looked for.
const maxSearchDepth = 6

// tree is what was found below a directory.
type tree struct {
	files []File
	cases []string // recorded cases: directories that have events, pods and nodes

	strange bool // there were files outside of these
	damage  func(Damage)
	seen    map[string]bool // directories visited, by real path: symlinks may loop
}

// search looks for recorded cases and pod directories below dir. node is "" until a nodes/NODE was passed.
func (t *tree) search(dir, node string, depth int) {
	where, err := filepath.EvalSymlinks(dir)
	if err != nil {
		t.damage(Damage{File: dir, Reason: reason(err), Count: 1})
		return
	}
	if t.seen[where] {
		return
	}
	t.seen[where] = true
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.damage(Damage{File: dir, Reason: "cannot be listed: " + reason(err), Count: 1})
		return
	}
	if isPodsDir(dir, entries) {
		t.podsDir(dir, node, entries)
		return
	}
	if stream, ok := ParsePodDir(filepath.Base(where)); ok && isPodDir(dir) {
		stream.Node = node // a single pod was asked for
		t.podDir(dir, stream)
		return
	}
	if isCase(entries) {
		t.cases = append(t.cases, dir)
	}
	if depth == 0 {
		return
	}
	for _, e := range entries {
		if !isDir(dir, e) {
			t.strange = t.strange || objectsKind(e.Name()) == ""
			continue
		}
		child := node
		if filepath.Base(dir) == "nodes" {
			child = e.Name()
		}
		t.search(filepath.Join(dir, e.Name()), child, depth-1)
	}
}

// isCase tells a directory with recorded objects of the API server.
func isCase(entries []fs.DirEntry) bool {
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return objectsKind(e.Name()) != "" && !e.IsDir() })
}

// isPodsDir tells a directory laid out as /var/log/pods: it is called pods, or has
// at least one NAMESPACE_POD_UID/CONTAINER/N.log. The name alone would not do: a
// folder of recordings may be called anything.
func isPodsDir(dir string, entries []fs.DirEntry) bool {
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool {
		if _, ok := ParsePodDir(e.Name()); !ok || !isDir(dir, e) {
			return false
		}
		if filepath.Base(dir) == "pods" {
			return true
		}
		return isPodDir(filepath.Join(dir, e.Name()))
	})
}

// isPodDir tells a directory that has CONTAINER/N.log.
func isPodDir(dir string) bool {
	containers, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(containers, func(c fs.DirEntry) bool {
		if !isDir(dir, c) {
			return false
		}
		files, _ := os.ReadDir(filepath.Join(dir, c.Name()))
		return slices.ContainsFunc(files, func(f fs.DirEntry) bool {
			_, _, ok := ParseLogName(f.Name())
			return ok
		})
	})
}

// ParsePodDir takes NAMESPACE_POD_UID apart. The UID of a static pod is a hash.
func ParsePodDir(name string) (lastnight.Stream, bool) {
	ns, rest, ok := strings.Cut(name, "_")
	i := strings.LastIndexByte(rest, '_')
	if !ok || ns == "" || i <= 0 || i == len(rest)-1 {
		return lastnight.Stream{}, false
	}
	return lastnight.Stream{Namespace: ns, Pod: rest[:i], PodUID: rest[i+1:]}, true
}

// ParseLogName takes N.log, N.log.TIME and N.log.TIME.gz apart; .zst may follow
// any of them. ok is false for other files, as the kubelet's temporary ones.
func ParseLogName(name string) (restart int, rotated string, ok bool) {
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".zst"), ".gz")
	number, rest, found := strings.Cut(name, ".log")
	n, err := strconv.Atoi(number)
	if !found || err != nil || n < 0 || number != strconv.Itoa(n) || rest != "" && (len(rest) < 2 || rest[0] != '.' || strings.HasSuffix(rest, ".tmp")) {
		return 0, "", false
	}
	return n, strings.TrimPrefix(rest, "."), true
}

// podsDir takes the log files below a directory laid out as /var/log/pods.
func (t *tree) podsDir(dir, node string, entries []fs.DirEntry) {
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if !isDir(dir, e) {
			if e.Type()&fs.ModeSymlink != 0 {
				t.damage(Damage{File: path, Reason: "symbolic link that leads to no directory", Count: 1})
			}
			continue
		}
		stream, ok := ParsePodDir(e.Name())
		if !ok {
			t.damage(Damage{File: path, Reason: "is not named NAMESPACE_POD_UID: left out", Count: 1})
			continue
		}
		stream.Node = node
		t.podDir(path, stream)
	}
}

// podDir takes the log files of one pod.
func (t *tree) podDir(dir string, stream lastnight.Stream) {
	containers, err := os.ReadDir(dir)
	if err != nil {
		t.damage(Damage{File: dir, Reason: "cannot be listed: " + reason(err), Count: 1})
		return
	}
	for _, c := range containers {
		path := filepath.Join(dir, c.Name())
		if !isDir(dir, c) {
			continue
		}
		stream.Container = c.Name()
		names, err := os.ReadDir(path)
		if err != nil {
			t.damage(Damage{File: path, Reason: "cannot be listed: " + reason(err), Count: 1})
			continue
		}
		for _, f := range names {
			restart, rotated, ok := ParseLogName(f.Name())
			if !ok {
				if !strings.HasSuffix(f.Name(), ".tmp") {
					t.damage(Damage{File: filepath.Join(path, f.Name()), Reason: "is not named as a log file: left out", Count: 1})
				}
				continue
			}
			stream.Restart = restart
			t.files = append(t.files, File{Path: filepath.Join(path, f.Name()), Stream: stream, Rotated: rotated})
		}
	}
}

// ListPods lists the log files below a directory laid out as /var/log/pods, also if
// it is empty. What is odd there is told to damage.
func ListPods(dir, node string, damage func(Damage)) ([]File, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list pods: %w", err)
	}
	t := &tree{damage: damage}
	t.podsDir(dir, node, entries)
	return t.files, nil
}

// isDir tells whether an entry is a directory or a symbolic link to one.
func isDir(dir string, e fs.DirEntry) bool {
	if e.Type()&fs.ModeSymlink == 0 {
		return e.IsDir()
	}
	info, err := os.Stat(filepath.Join(dir, e.Name()))
	return err == nil && info.IsDir()
}

// byStream groups files by stream and puts each group's oldest file first.
func byStream(files []File) [][]File {
	slices.SortFunc(files, compareFiles)
	var groups [][]File
	for i, f := range files {
		if i == 0 || f.Stream.ID() != files[i-1].Stream.ID() {
			groups = append(groups, nil)
		}
		last := len(groups) - 1
		groups[last] = append(groups[last], f)
	}
	return groups
}

func compareFiles(a, b File) int {
	return cmp.Or(
		cmp.Compare(a.Stream.Namespace, b.Stream.Namespace),
		cmp.Compare(a.Stream.Pod, b.Stream.Pod),
		cmp.Compare(a.Stream.PodUID, b.Stream.PodUID),
		cmp.Compare(a.Stream.Container, b.Stream.Container),
		cmp.Compare(a.Stream.Restart, b.Stream.Restart),
		compareRotated(a.Rotated, b.Rotated),
		cmp.Compare(a.Path, b.Path),
	)
}

// compareRotated orders rotated files by time and the present one last.
func compareRotated(a, b string) int {
	if a == "" || b == "" {
		return cmp.Compare(len(b), len(a))
	}
	return cmp.Compare(a, b)
}

// statRoot says early and plainly what is wrong with the directory asked for.
func statRoot(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return lastnight.Errorf(lastnight.CodeInvalid, "give a recorded case or a directory laid out as /var/log/pods", "%s does not exist", dir)
	case err != nil:
		return lastnight.Errorf(lastnight.CodeInvalid, "", "%s: %w", dir, err)
	case !info.IsDir():
		return lastnight.Errorf(lastnight.CodeInvalid, "give a recorded case or a directory laid out as /var/log/pods", "%s is not a directory", dir)
	}
	return nil
}
