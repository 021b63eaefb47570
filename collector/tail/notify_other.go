//go:build !linux

package tail

import (
	"fmt"
	"path/filepath"
	"sync"

	"github.com/fsnotify/fsnotify"
)

// fsWatcher is a notifier where there is no inotify.
type fsWatcher struct {
	w    *fsnotify.Watcher
	out  chan change
	done chan struct{}
	wg   sync.WaitGroup
}

func newNotifier() (notifier, error) {
	w, err := fsnotify.NewWatcher()
	if err != nil {
		return nil, fmt.Errorf("notifications: %w", err)
	}
	n := &fsWatcher{w: w, out: make(chan change), done: make(chan struct{})}
	raw := make(chan change)
	n.wg.Go(func() { gather(raw, n.out, n.done) })
	n.wg.Go(func() { n.read(raw) })
	return n, nil
}

func (n *fsWatcher) read(raw chan<- change) {
	defer close(raw)
	for {
		var c change
		select {
		case e, ok := <-n.w.Events:
			if !ok {
				return
			}
			if e.Op == fsnotify.Write || e.Op == fsnotify.Chmod {
				continue
			}
			c.dirs = map[string]bool{filepath.Dir(e.Name): true, e.Name: true}
		case _, ok := <-n.w.Errors:
			if !ok {
				return
			}
			c.all = true
		}
		select {
		case raw <- c:
		case <-n.done:
			return
		}
	}
}

// Add asks for the changes of a directory.
func (n *fsWatcher) Add(dir string) error { return n.w.Add(dir) }

// Remove asks for them no longer.
func (n *fsWatcher) Remove(dir string) { _ = n.w.Remove(dir) }

// Changes gives the directories that changed.
func (n *fsWatcher) Changes() <-chan change { return n.out }

// Close ends it.
func (n *fsWatcher) Close() error {
	close(n.done)
	err := n.w.Close()
	n.wg.Wait()
	return err
}
