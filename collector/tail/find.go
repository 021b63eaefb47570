package tail

import (
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"lastnight"
	"lastnight/collector"
)

// notifier says which directories changed: entries came, went or were renamed there.
type notifier interface {
	Add(dir string) error
	Remove(dir string)
	Changes() <-chan change
	Close() error
}

// change is what a notifier has to say.
type change struct {
	dirs   map[string]bool
	gone   []string // no longer watched
	all    bool     // notifications were lost: anything may have changed
	opened []opened // new files: who takes the change closes them
}

// opened is a file that was opened when it came.
type opened struct {
	dir, base string
	file      *os.File
}

// maxOpened is how many files are opened before anybody has looked at them.
const maxOpened = 256

func (c *change) add(d change) {
	if c.dirs == nil {
		c.dirs = map[string]bool{}
	}
	maps.Copy(c.dirs, d.dirs)
	c.gone = append(c.gone, d.gone...)
	c.all = c.all || d.all
	c.opened = append(c.opened, d.opened...)
	if over := len(c.opened) - maxOpened; over > 0 {
		closeOpened(c.opened[maxOpened:])
		c.opened = c.opened[:maxOpened]
	}
}

func closeOpened(files []opened) {
	for _, o := range files {
		_ = o.file.Close()
	}
}

// gather hands changes on, and gathers those that come while nobody takes them.
func gather(in <-chan change, out chan<- change, done <-chan struct{}) {
	var waiting change
	defer func() { closeOpened(waiting.opened) }()
	for {
		to := out
		if len(waiting.dirs) == 0 && len(waiting.gone) == 0 && !waiting.all {
			to = nil
		}
		select {
		case c, ok := <-in:
			if !ok {
				return
			}
			waiting.add(c)
		case to <- waiting:
			waiting = change{}
		case <-done:
			return
		}
	}
}

// finder is where directories are known to change from.
type finder struct {
	open    func() (notifier, error)
	notify  notifier // nil: scans only
	watched map[string]bool
	failed  map[string]bool // could not be watched
	nowhere map[string]bool // directories with a symbolic link that leads nowhere: nobody tells when it does
	scanned time.Time
	took    time.Duration // of the last scan
	rescan  bool
}

func (f *finder) start(t *Tailer) {
	f.watched, f.failed, f.nowhere, f.rescan = map[string]bool{}, map[string]bool{}, map[string]bool{}, true
	n, err := f.open()
	if err != nil {
		t.log.Warn("no file notifications, scanning instead", "err", err, "hint", "raise fs.inotify.max_user_instances")
		return
	}
	f.notify = n
}

func (f *finder) changed() <-chan change {
	if f.notify == nil {
		return nil
	}
	return f.notify.Changes()
}

// watch asks for notifications of a directory, before it is listed.
func (t *Tailer) watch(dir string) {
	f := &t.finder
	if f.notify == nil || f.watched[dir] {
		return
	}
	if err := f.notify.Add(dir); err != nil {
		if len(f.failed) == 0 && !errors.Is(err, fs.ErrNotExist) {
			t.log.Warn("a directory gets no notifications, scanning instead", "err", err, "hint", "raise fs.inotify.max_user_watches")
		}
		f.failed[dir] = true
		return
	}
	delete(f.failed, dir)
	f.watched[dir] = true
}

// Scans that must do without notifications.
const (
	blindScan = time.Second // between two of them
	scanShare = 50          // a scan may take a 50th of the time
)

// scanIfDue lists everything once in a while, and at once if notifications were lost.
func (t *Tailer) scanIfDue(now time.Time) {
	f := &t.finder
	every := t.cfg.Scan
	if f.notify == nil || len(f.failed) > 0 {
		every = min(every, blindScan)
	}
	every = max(every, scanShare*f.took)
	if !f.rescan && now.Sub(f.scanned) < every {
		return
	}
	f.rescan, f.scanned = false, now
	t.scan(now)
	f.took = time.Since(now)
}

// scan lists all directories.
func (t *Tailer) scan(now time.Time) {
	clear(t.finder.failed)
	if !t.listRoot() {
		return
	}
	for dir := range t.pods {
		t.listPod(dir)
	}
	for _, c := range t.containers {
		t.listContainer(c, now)
	}
	t.settle(now)
	t.mu.Lock()
	t.stats.Scans++
	t.mu.Unlock()
}

// list looks at directories that changed.
func (t *Tailer) list(c change) {
	now := time.Now()
	for _, o := range c.opened {
		t.take(o)
	}
	for _, dir := range c.gone {
		delete(t.finder.watched, dir)
		if p := t.pods[dir]; p != nil {
			t.listPod(dir)
		} else if c := t.containers[dir]; c != nil {
			t.listContainer(c, now)
		}
	}
	if c.all {
		t.log.Warn("file notifications were lost, scanning")
		t.scan(now)
		return
	}
	if c.dirs[t.cfg.Dir] {
		t.listRoot()
	}
	for dir := range c.dirs {
		if t.pods[dir] != nil {
			t.listPod(dir)
		}
		if c := t.containers[dir]; c != nil {
			t.listContainer(c, now)
		}
	}
}

// listRoot finds pods; false if the directory cannot be listed.
func (t *Tailer) listRoot() bool {
	t.watch(t.cfg.Dir)
	entries, err := os.ReadDir(t.cfg.Dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.damage(collector.Damage{File: t.cfg.Dir, Reason: "cannot be listed: " + err.Error(), Count: 1})
		return false
	}
	for _, e := range entries {
		dir := filepath.Join(t.cfg.Dir, e.Name())
		if p := t.pods[dir]; p != nil && !p.gone || !t.isDir(dir, e) {
			continue
		} else if p != nil { // it is there again
			t.listPod(dir)
			continue
		}
		stream, ok := collector.ParsePodDir(e.Name())
		if !ok {
			t.damage(collector.Damage{File: dir, Reason: "is not named NAMESPACE_POD_UID: left out", Count: 1})
			continue
		}
		stream.Node, stream.Cluster = t.cfg.Node, t.cfg.Cluster
		t.pods[dir] = &pod{stream: stream}
		t.listPod(dir)
	}
	return true
}

// isDir tells whether an entry is a directory or a symbolic link to one.
func (t *Tailer) isDir(path string, e fs.DirEntry) bool {
	if e.Type()&fs.ModeSymlink == 0 {
		return e.IsDir()
	}
	info, err := os.Stat(path)
	if err != nil {
		t.finder.nowhere[filepath.Dir(path)] = true
	}
	return err == nil && info.IsDir()
}

// followLinks lists the directories again that have links which led nowhere.
func (t *Tailer) followLinks() {
	if len(t.finder.nowhere) == 0 {
		return
	}
	dirs := t.finder.nowhere
	t.finder.nowhere = map[string]bool{}
	t.list(change{dirs: dirs})
}

// listPod finds the containers of a pod.
func (t *Tailer) listPod(dir string) {
	p := t.pods[dir]
	t.watch(dir)
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.unlisted(dir, err)
		p.gone = true
		return
	}
	p.gone = false
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if c := t.containers[path]; c != nil && !c.gone || !t.isDir(path, e) {
			continue
		} else if c != nil { // it is there again
			t.listContainer(c, time.Now())
			continue
		}
		stream := p.stream
		stream.Container = e.Name()
		c := &container{dir: path, pod: p, stream: stream, finished: map[fileID]finished{}, reached: map[generation]reached{}}
		t.containers[path] = c
		t.listContainer(c, time.Now())
	}
}

// unlisted notes that a directory cannot be listed.
func (t *Tailer) unlisted(dir string, err error) {
	if !errors.Is(err, fs.ErrNotExist) {
		t.damage(collector.Damage{File: dir, Reason: "cannot be listed: " + err.Error(), Count: 1})
	}
	if _, err := os.Lstat(dir); err == nil {
		t.finder.nowhere[filepath.Dir(dir)] = true
	}
	delete(t.finder.failed, dir)
}

// listContainer opens new files of a container and notes which have other names or none.
func (t *Tailer) listContainer(c *container, now time.Time) {
	t.watch(c.dir)
	entries, err := os.ReadDir(c.dir)
	if err != nil {
		t.unlisted(c.dir, err)
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, errNotDir) {
			return // it may be readable again: nothing is known of its files
		}
	}
	c.gone = err != nil
	seen := map[fileID]bool{}
	for _, e := range entries {
		restart, rotated, ok := collector.ParseLogName(e.Name())
		if !ok {
			if !strings.HasSuffix(e.Name(), ".tmp") {
				t.damage(collector.Damage{File: filepath.Join(c.dir, e.Name()), Reason: "is not named as a log file: left out", Count: 1})
			}
			continue
		}
		t.found(c, e.Name(), name{restart: restart, rotated: rotated}, seen)
	}
	for _, f := range c.files {
		if f.gone = !seen[f.id]; f.gone && f.left.IsZero() {
			f.left = now
		}
	}
	for id := range c.finished {
		if !seen[id] {
			delete(c.finished, id)
		}
	}
	slices.SortFunc(c.files, compareFiles)
}

// found takes a listed file: a new one is opened, a known one may have another name.
func (t *Tailer) found(c *container, base string, as name, seen map[fileID]bool) {
	path := filepath.Join(c.dir, base)
	info, err := os.Stat(path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			t.damage(collector.Damage{File: path, Reason: "cannot be opened: " + err.Error(), Count: 1})
		} else if _, err := os.Lstat(path); err == nil {
			t.finder.nowhere[c.dir] = true
		}
		return
	}
	if !info.Mode().IsRegular() {
		t.damage(collector.Damage{File: path, Reason: "is not a regular file", Count: 1})
		return
	}
	id := idOf(info)
	if f := c.file(id); f != nil {
		seen[id] = true
		f.path, f.name = path, as
		return
	}
	if x, ok := c.finished[id]; ok {
		if x.size == info.Size() && x.modified.Equal(info.ModTime()) {
			seen[id] = true
			return
		}
		delete(c.finished, id)
	}
	f, err := t.openFile(path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			t.damage(collector.Damage{File: path, Reason: "cannot be opened: " + err.Error(), Count: 1})
		}
		return
	}
	opened, err := f.Stat()
	if err != nil || !opened.Mode().IsRegular() {
		_ = f.Close()
		return
	}
	if id = idOf(opened); c.file(id) != nil { // renamed since it was listed
		_ = f.Close()
		seen[id] = true
		return
	}
	seen[id] = true
	t.follow(c, f, opened, as)
}

// follow begins to follow an open file.
func (t *Tailer) follow(c *container, f *os.File, info fs.FileInfo, as name) {
	stream := c.stream
	stream.Restart = as.restart
	c.files = append(c.files, &follow{
		file: f, id: idOf(info), path: f.Name(), name: as, stream: t.streamOf(c, stream), modified: info.ModTime(),
		grown: time.Now(), ended: -1, closed: -1, caught: -1, dirty: true,
	})
}

// take follows a file that was opened when it came, unless it is known. The listing that follows says what it is called now.
func (t *Tailer) take(o opened) {
	restart, rotated, _ := collector.ParseLogName(o.base)
	c := t.containers[o.dir]
	info, err := o.file.Stat()
	if c == nil || err != nil || !info.Mode().IsRegular() || c.file(idOf(info)) != nil {
		_ = o.file.Close()
		return
	}
	if _, ok := c.finished[idOf(info)]; ok {
		_ = o.file.Close()
		return
	}
	t.follow(c, o.file, info, name{restart: restart, rotated: rotated})
}

// streamOf shares one Stream among the files of a container's restart.
func (t *Tailer) streamOf(c *container, s lastnight.Stream) *lastnight.Stream {
	for _, f := range c.files {
		if f.stream.Restart == s.Restart {
			return f.stream
		}
	}
	return &s
}

// settle forgets what is gone, after a scan.
func (t *Tailer) settle(now time.Time) {
	for dir, c := range t.containers {
		c.forget(now)
		if c.gone && len(c.files) == 0 && !c.queued {
			delete(t.containers, dir)
			t.unwatch(dir)
		}
	}
	for dir, p := range t.pods {
		if !p.gone {
			continue
		}
		if !slices.ContainsFunc(slices.Collect(maps.Values(t.containers)), func(c *container) bool { return c.pod == p }) {
			delete(t.pods, dir)
			t.unwatch(dir)
		}
	}
}

func (t *Tailer) unwatch(dir string) {
	if t.finder.watched[dir] {
		t.finder.notify.Remove(dir)
		delete(t.finder.watched, dir)
	}
	delete(t.finder.failed, dir)
}
