package tail

import "errors"

// LimitWatches makes a tailer that gets notifications of so many directories; -1: of none, for want of inotify.
func LimitWatches(cfg Config, n int) *Tailer {
	t := New(cfg)
	open := t.finder.open
	t.finder.open = func() (notifier, error) {
		if n < 0 {
			return nil, errors.New("too many open files")
		}
		inner, err := open()
		return &limited{notifier: inner, left: n}, err
	}
	return t
}

type limited struct {
	notifier
	left int
}

func (l *limited) Add(dir string) error {
	if l.left--; l.left < 0 {
		return errors.New("no space left on device")
	}
	return l.notifier.Add(dir)
}

// Overflow makes a tailer whose notifications are all lost but for the kernel's word that they were.
func Overflow(cfg Config) *Tailer {
	t := New(cfg)
	open := t.finder.open
	t.finder.open = func() (notifier, error) {
		inner, err := open()
		o := &overflowing{notifier: inner, out: make(chan change), done: make(chan struct{})}
		go o.run()
		return o, err
	}
	return t
}

type overflowing struct {
	notifier
	out  chan change
	done chan struct{}
}

func (o *overflowing) Changes() <-chan change { return o.out }

func (o *overflowing) Close() error {
	close(o.done)
	return o.notifier.Close()
}

func (o *overflowing) run() {
	for {
		select {
		case <-o.notifier.Changes():
		case <-o.done:
			return
		}
		select {
		case o.out <- change{all: true}:
		case <-o.done:
			return
		}
	}
}
