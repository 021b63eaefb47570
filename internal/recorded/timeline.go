package recorded

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// What the kubelet calls the files of a container: 0.log, 0.log.20261121-115236, the same with .gz.
var logName = regexp.MustCompile(`^(\d+)\.log(?:\.(\d{8}-\d{6}))?(\.gz)?$`)

// Timeline is what happened to the files of a case's nodes, and what the API server told meanwhile.
type Timeline struct {
	steps []step
	// Objects that were listed before anything happened, and after it: files of the case.
	Before, After []ObjectsFile
}

// ObjectsFile is a file of recorded objects: a list or a watch (.jsonl).
type ObjectsFile struct {
	Name string // "pods-before.json.gz"
	Data []byte // decompressed
}

// step is one thing that happened.
type step struct {
	at   time.Time
	node string
	file string             // below the node's directory of pod logs; "": an object was told
	do   func(n *dir) error // to the file
	kind string             // of the object: Event or Pod
	line []byte             // of a watch
}

// generation is one file of a container, whatever its names were.
type generation struct {
	restart, stamp string // stamp is that of its name after rotation; "": never rotated
	gzipped        bool   // its last name had .gz
	data           []byte
}

// container is the log files of one container on one node, as they were last.
type container struct {
	node, dir   string
	generations []generation
}

// fileEvent is a line of files-timeline.jsonl.
type fileEvent struct {
	Time  time.Time `json:"t"`
	Event string    `json:"event"` // appear, replaced, vanished
	Path  string    `json:"path"`  // node/pod/container/name
}

// ReadTimeline reads the timeline of a case that lies in dir as it was recorded (names may have the
// .zst of its storage). Appends are at the lines' CRI times; rotations, compressions and removals
// when files-timeline.jsonl saw them; objects at the newest time that they have.
func ReadTimeline(dir string) (*Timeline, error) {
	t := &Timeline{}
	containers := map[string]*container{}
	err := filepath.WalkDir(filepath.Join(dir, "nodes"), func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // a case whose pods never wrote a line
		}
		if err != nil || d.IsDir() {
			return err
		}
		rel, err := filepath.Rel(filepath.Join(dir, "nodes"), p)
		if err != nil {
			return err
		}
		return keepFile(containers, filepath.ToSlash(rel), p)
	})
	if err != nil {
		return nil, fmt.Errorf("read recorded logs: %w", err)
	}
	seen, err := readFileEvents(filepath.Join(dir, "files-timeline.jsonl"))
	if err != nil {
		return nil, err
	}
	for _, key := range slices.Sorted(maps.Keys(containers)) {
		steps, err := containers[key].steps(seen)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", key, err)
		}
		t.steps = append(t.steps, steps...)
	}
	if err := t.objects(dir); err != nil {
		return nil, err
	}
	slices.SortStableFunc(t.steps, func(a, b step) int { return a.at.Compare(b.at) })
	return t, nil
}

// keepFile reads a log file: NODE/var/log/pods/POD/CONTAINER/NAME or NODE/removed-before-end/….
func keepFile(containers map[string]*container, rel, file string) error {
	rel = strings.TrimSuffix(rel, ".zst")
	m := logName.FindStringSubmatch(path.Base(rel))
	node, rest, _ := strings.Cut(rel, "/")
	rest = strings.TrimPrefix(strings.TrimPrefix(rest, "var/log/pods/"), "removed-before-end/")
	if m == nil || strings.Count(rest, "/") != 2 {
		return nil // not a log: the list of links
	}
	data, err := ReadFile(file)
	if err != nil {
		return err
	}
	g := generation{restart: m[1], stamp: m[2], gzipped: m[3] != "", data: data}
	key := node + "/" + path.Dir(rest)
	c := containers[key]
	if c == nil {
		c = &container{node: node, dir: path.Dir(rest)}
		containers[key] = c
	}
	for i := range c.generations { // plain and compressed are one
		if o := &c.generations[i]; o.restart == g.restart && o.stamp == g.stamp {
			o.gzipped = o.gzipped || g.gzipped
			if len(g.data) > len(o.data) {
				o.data = g.data
			}
			return nil
		}
	}
	c.generations = append(c.generations, g)
	return nil
}

// ReadFile reads a recorded file and undoes .gz and .zst.
func ReadFile(file string) ([]byte, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, fmt.Errorf("read recorded file: %w", err)
	}
	if strings.HasSuffix(file, ".zst") {
		if data, err = unzstd(data); err != nil {
			return nil, fmt.Errorf("decompress %s: %w", file, err)
		}
		file = strings.TrimSuffix(file, ".zst")
	}
	if strings.HasSuffix(file, ".gz") {
		zr, err := gzip.NewReader(bytes.NewReader(data))
		if err == nil {
			data, err = readCapped(zr)
		}
		if err != nil {
			return nil, fmt.Errorf("decompress %s: %w", file, err)
		}
	}
	return data, nil
}

func readFileEvents(file string) (map[string][]fileEvent, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read recorded timeline: %w", err)
	}
	defer func() { _ = f.Close() }()
	byPath := map[string][]fileEvent{}
	in := bufio.NewScanner(f)
	for in.Scan() {
		var e fileEvent
		if err := json.Unmarshal(in.Bytes(), &e); err != nil {
			return nil, fmt.Errorf("read recorded timeline: %w", err)
		}
		byPath[e.Path] = append(byPath[e.Path], e)
	}
	return byPath, in.Err()
}

// objects reads the watches as steps, and the lists.
func (t *Timeline) objects(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return fmt.Errorf("read recorded objects: %w", err)
	}
	for _, e := range entries {
		kind := ""
		for word, k := range map[string]string{"events": "Event", "pods": "Pod", "nodes": "Node"} {
			if strings.HasPrefix(e.Name(), word+"-") || strings.HasPrefix(e.Name(), word+".") {
				kind = k
			}
		}
		if kind == "" || e.IsDir() {
			continue
		}
		data, err := ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		switch o := (ObjectsFile{Name: e.Name(), Data: data}); {
		case strings.Contains(e.Name(), "-watch."):
			last := time.Time{}
			for line := range bytes.Lines(data) {
				if at := newestIn(line); at.After(last) {
					last = at
				}
				t.steps = append(t.steps, step{at: last, kind: kind, line: line})
			}
		case strings.Contains(e.Name(), "-before."):
			t.Before = append(t.Before, o)
		default:
			t.After = append(t.After, o)
		}
	}
	return nil
}

var timeInJSON = regexp.MustCompile(`"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z"`)

// newestIn gives the newest time in an object's JSON.
func newestIn(line []byte) time.Time {
	var newest time.Time
	for _, m := range timeInJSON.FindAll(line, -1) {
		if at, err := time.Parse(time.RFC3339Nano, string(m[1:len(m)-1])); err == nil && at.After(newest) {
			newest = at
		}
	}
	return newest
}
