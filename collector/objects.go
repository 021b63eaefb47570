package collector

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"lastnight/collector/kube"
)

// What is told of one file of recorded objects.
const (
	maxReason  = 300 // bytes of a reason
	maxReasons = 100
)

// objectsKind tells from a file's name what kind of recorded objects it has: Event, Pod, Node, or "".
func objectsKind(name string) string {
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".gz"), ".zst")
	base, ext, _ := strings.Cut(name, ".")
	if ext != "json" && ext != "jsonl" {
		return ""
	}
	word, _, _ := strings.Cut(base, "-")
	switch word {
	case "events":
		return "Event"
	case "pods":
		return "Pod"
	case "nodes":
		return "Node"
	}
	return ""
}

// objectsRank orders the files of a kind in time: before, the watch, during, after, the rest.
func objectsRank(name string) int {
	for i, word := range []string{"before", "watch", "during", "after"} {
		if strings.Contains(name, word) {
			return i
		}
	}
	return 4
}

// objects decodes the recorded objects of one case.
func (im *importer) objects(ctx context.Context, d *kube.Decoder, dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		im.damage(Damage{File: dir, Reason: "cannot be listed: " + reason(err), Count: 1})
		return
	}
	slices.SortStableFunc(entries, func(a, b os.DirEntry) int { return objectsRank(a.Name()) - objectsRank(b.Name()) })
	d.NewRecording()
	for _, e := range entries {
		kind := objectsKind(e.Name())
		if kind == "" || ctx.Err() != nil {
			continue
		}
		im.objectsFile(d, filepath.Join(dir, e.Name()), kind)
	}
}

// objectsFile decodes one file of recorded objects.
func (im *importer) objectsFile(d *kube.Decoder, path, kind string) {
	f, err := openRegular(path)
	if err != nil {
		im.damage(Damage{File: path, Reason: "cannot be opened: " + reason(err), Count: 1})
		return
	}
	defer func() { _ = f.Close() }()
	in, closeIn, err := decompress(f)
	if err != nil {
		im.damage(Damage{File: path, Reason: reason(err), Count: 1})
		return
	}
	defer closeIn()
	found := map[string]*Damage{}
	d.Report = func(at int64, what string) {
		if len(what) > maxReason {
			what = strings.ToValidUTF8(what[:maxReason], "") + "…"
		}
		if len(found) >= maxReasons && found[what] == nil {
			what = "more of the like"
		}
		if have := found[what]; have != nil {
			have.Count++
			return
		}
		found[what] = &Damage{File: path, Offset: at, Reason: what, Count: 1}
	}
	if strings.Contains(filepath.Base(path), ".jsonl") {
		d.DecodeLines(in, kind)
	} else {
		d.DecodeList(in, kind)
	}
	for _, x := range found {
		im.damage(*x)
	}
}
