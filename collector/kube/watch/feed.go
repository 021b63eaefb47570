package watch

import (
	"context"
	"encoding/json"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"lastnight/collector/kube"
	"lastnight/collector/kube/apiserver"
)

const (
	pauseFirst = 200 * time.Millisecond // after a failure; twice as long after the next one
	pauseMost  = 30 * time.Second
	listLimit  = 500         // objects a page, where the API server pages
	shortWatch = time.Second // a watch that ends sooner and told nothing has failed
)

// object is what the API server gives.
type object interface{ Metadata() *kube.Meta }

// feed hands on each version of the objects of one kind: it lists them, watches from there, goes
// on where a watch ended, and lists again where it cannot (410 Gone). It keeps the last version of
// each object, so that a new list tells which are gone.
type feed[T object] struct {
	client   *apiserver.Client
	resource apiserver.Resource
	selector string   // of fields; "": all objects
	fresh    func() T // makes an empty object
	log      *slog.Logger
	what     string                    // for the log
	counts   *kindCounts               // of the kind, which several feeds may share
	forget   bool                      // keep no versions: deletions tell nothing
	absent   time.Duration             // how long to wait where there are no such objects; 0: that is a failure
	take     func(obj T, deleted bool) // may block; called by one goroutine

	known   map[string]T // by uid
	version string       // where a watch goes on
	pause   time.Duration
	failed  bool // said that it does not work
}

// run lists and watches until the context is over.
func (f *feed[T]) run(ctx context.Context) {
	f.known, f.pause = map[string]T{}, pauseFirst
	f.version = "0" // what the API server remembers: etcd need not be asked by every agent that starts
	for ctx.Err() == nil {
		err := f.list(ctx)
		if f.absent > 0 && apiserver.IsNotFound(err) {
			f.counts.hear()
			wait(ctx, f.absent)
			continue
		}
		f.went(ctx, err)
		if err == nil {
			f.follow(ctx)
			continue
		}
		if f.version != "" && (apiserver.IsExpired(err) || apiserver.IsTooNew(err)) {
			f.version = "" // whatever is newest
			continue
		}
		f.back(ctx)
	}
}

// back waits after a failure, longer and longer.
func (f *feed[T]) back(ctx context.Context) {
	wait(ctx, f.pause+rand.N(f.pause/2)) //nolint:gosec // no secret
	f.pause = min(2*f.pause, pauseMost)
}

// list reads all objects: what was known and is not among them is gone.
func (f *feed[T]) list(ctx context.Context) error {
	o := apiserver.ListOptions{FieldSelector: f.selector, ResourceVersion: f.version}
	if f.forget {
		o.ResourceVersion = "" // the API server remembers no Events: it asks etcd in any case
	}
	if o.ResourceVersion == "" {
		o.Limit = listLimit // with a version, a limit makes the API server ask etcd
	}
	f.counts.list()
	listed := map[string]bool{}
	var page []T
	version, err := f.client.List(ctx, f.resource, o, func(raw json.RawMessage) {
		if obj, ok := f.decode(raw); ok {
			page = append(page, obj)
		}
	}, func() {
		for _, obj := range page {
			if !f.forget {
				listed[obj.Metadata().UID] = true
			}
			f.seen(obj, false)
		}
		clear(page)
		page = page[:0]
	})
	if err != nil {
		return err
	}
	for uid, obj := range f.known {
		if !listed[uid] {
			f.seen(obj, true)
		}
	}
	f.version = version
	return nil
}

// follow watches, again and again, until a list must come first.
func (f *feed[T]) follow(ctx context.Context) {
	for ctx.Err() == nil {
		begin, told := time.Now(), 0
		o := apiserver.ListOptions{FieldSelector: f.selector, ResourceVersion: f.version}
		err := f.client.Watch(ctx, f.resource, o, func(c apiserver.Change) {
			told++
			f.pause = pauseFirst
			f.change(c)
		})
		f.went(ctx, err)
		switch {
		case err == nil && told > 0:
		case err == nil && time.Since(begin) > shortWatch:
			return // not even a bookmark for minutes: a store that was set back would be waited for without end
		case apiserver.IsExpired(err):
			f.counts.expired()
			return
		case apiserver.Told(err): // of another kind: a list shows whether it goes on
			f.back(ctx)
			return
		default: // the connection, or the API server itself, is away
			f.back(ctx)
		}
	}
}

// change takes a message of the watch.
func (f *feed[T]) change(c apiserver.Change) {
	obj, ok := f.decode(c.Object)
	if !ok {
		return
	}
	if c.Type != apiserver.Bookmark {
		f.seen(obj, c.Type == apiserver.Deleted)
	} else {
		f.counts.hear()
	}
	f.version = obj.Metadata().ResourceVersion
}

func (f *feed[T]) decode(raw json.RawMessage) (T, bool) {
	obj := f.fresh()
	if err := json.Unmarshal(raw, obj); err != nil {
		f.log.Debug("an object of the API server cannot be read", "what", f.what, "err", err)
		return obj, false
	}
	return obj, true
}

func (f *feed[T]) seen(obj T, deleted bool) {
	f.counts.object()
	meta := obj.Metadata()
	delete(meta.Annotations, "kubectl.kubernetes.io/last-applied-configuration") // large, and tells nothing
	switch {
	case f.forget:
	case deleted:
		delete(f.known, meta.UID)
	default:
		f.known[meta.UID] = obj
	}
	f.take(obj, deleted)
}

// went says once that watching does not work, and once when it works again.
func (f *feed[T]) went(ctx context.Context, err error) {
	if ctx.Err() != nil || apiserver.IsExpired(err) {
		return // ordinary: a list follows
	}
	switch {
	case err == nil:
		f.counts.hear()
		if f.failed {
			f.failed = false
			f.log.Info("Kubernetes is watched again", "what", f.what)
		}
	default:
		f.counts.fail()
		if f.failed {
			return
		}
		f.failed = true
		hint := "it is tried again"
		if apiserver.IsForbidden(err) {
			hint = "the service account lacks a right: lastnight doctor says which"
		}
		f.log.Warn("Kubernetes cannot be watched for now", "what", f.what, "err", err, "hint", hint)
	}
}

// KindStats counts what was heard of one kind of objects.
type KindStats struct {
	Objects  int64     // versions of objects, those of lists included
	Lists    int64     // lists that were asked for: the first one, and those after a gap
	Expired  int64     // watches that could not go on where they ended (410 Gone)
	Failures int64     // lists and watches that failed otherwise; they are repeated
	Heard    time.Time // when the API server last told something, if only that nothing happened; at first, since when it is asked
}

// kindCounts is the counts of one kind.
type kindCounts struct {
	mu sync.Mutex
	KindStats
}

func (k *kindCounts) add(n *int64) {
	k.mu.Lock()
	defer k.mu.Unlock()
	*n++
}

func (k *kindCounts) expired() { k.add(&k.Expired) }
func (k *kindCounts) fail()    { k.add(&k.Failures) }

func (k *kindCounts) list() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.Lists++
	if k.Heard.IsZero() {
		k.Heard = time.Now()
	}
}

func (k *kindCounts) object() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.Objects++
	k.Heard = time.Now()
}

func (k *kindCounts) hear() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.Heard = time.Now()
}

func (k *kindCounts) stats() KindStats {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.KindStats
}
