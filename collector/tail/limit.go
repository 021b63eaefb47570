package tail

import "time"

// bucket is a pod's rate limit: a second's worth of bytes at most.
type bucket struct {
	tokens int64
	filled time.Time
	told   time.Time
}

func (b *bucket) take(n int64) { b.tokens -= n }

// fill adds what the time since the last fill is worth.
func (b *bucket) fill(rate int64, now time.Time) {
	if b.filled.IsZero() {
		b.tokens, b.filled = rate, now
		return
	}
	if d := now.Sub(b.filled); d > 0 {
		b.tokens = min(rate, b.tokens+int64(d.Seconds()*float64(rate)))
		b.filled = now
	}
}

// allowed tells how many bytes may be read of a file now; ok is false if its pod has to wait. The bucket may go
// below 0 by a block: the next ones wait the longer.
func (t *Tailer) allowed(c *container, f *follow, now time.Time) (limit int64, ok bool) {
	if t.cfg.RateLimit <= 0 {
		return blockBytes, true
	}
	b := &c.pod.limit
	b.fill(t.cfg.RateLimit, now)
	if b.tokens > 0 {
		f.limited = false
		return max(b.tokens, 4<<10), true
	}
	if f.limited || f.at >= f.size {
		return 0, false
	}
	f.limited = true
	t.mu.Lock()
	t.stats.Limited += f.unread()
	t.mu.Unlock()
	if now.Sub(b.told) >= warnEvery {
		b.told = now
		t.log.Warn("a pod writes faster than the rate limit; its lines wait in their files",
			"namespace", c.stream.Namespace, "pod", c.stream.Pod, "bytes", f.unread())
	}
	return 0, false
}

// closeAll lets go of everything.
func (t *Tailer) closeAll() {
	for _, c := range t.containers {
		for _, f := range c.files {
			f.close()
		}
	}
	if t.finder.notify != nil {
		_ = t.finder.notify.Close()
	}
}
