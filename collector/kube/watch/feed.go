package watch

import (
	"context"
	"log/slog"
	"sync"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/tools/cache"
)

// object is what the API server gives.
type object interface {
	runtime.Object
	metav1.Object
}

// feed hands on each version of the objects of one kind that a reflector brings. It
// keeps the last version of each, so that a new list tells which are gone.
type feed[T object] struct {
	log    *slog.Logger
	what   string
	forget bool                      // keep no versions: deletions tell nothing
	take   func(obj T, deleted bool) // may block; called by one goroutine

	mu     sync.Mutex
	known  map[string]T // by uid
	failed bool         // said that it does not work
}

// lister lists and watches one kind.
type lister struct {
	list  func(ctx context.Context, o metav1.ListOptions) (runtime.Object, error)
	watch func(ctx context.Context, o metav1.ListOptions) (watch.Interface, error)
}

// run reflects until the context is over. client-go's reflector resumes by
// bookmarks, lists again after 410 and waits longer and longer (up to a minute) between failures.
func (f *feed[T]) run(ctx context.Context, l lister, example T) {
	f.known = map[string]T{}
	lw := &cache.ListWatch{
		ListFunc: func(o metav1.ListOptions) (runtime.Object, error) {
			list, err := l.list(ctx, o)
			f.went(ctx, err)
			return list, err
		},
		WatchFunc: func(o metav1.ListOptions) (watch.Interface, error) {
			w, err := l.watch(ctx, o)
			f.went(ctx, err)
			return w, err
		},
	}
	r := cache.NewReflectorWithOptions(lw, example, f, cache.ReflectorOptions{Name: f.what})
	r.Run(ctx.Done())
}

// went says once that watching does not work, and once when it works again.
func (f *feed[T]) went(ctx context.Context, err error) {
	if ctx.Err() != nil || apierrors.IsResourceExpired(err) || apierrors.IsGone(err) {
		return // ordinary: a list follows
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case err == nil && f.failed:
		f.failed = false
		f.log.Info("Kubernetes is watched again", "what", f.what)
	case err != nil && !f.failed:
		f.failed = true
		hint := "it is tried again"
		if apierrors.IsForbidden(err) {
			hint = "the service account lacks a right: lastnight doctor says which"
		}
		f.log.Warn("Kubernetes cannot be watched for now", "what", f.what, "err", err, "hint", hint)
	}
}

func (f *feed[T]) seen(obj any, deleted bool) {
	o, ok := obj.(T)
	if !ok {
		return
	}
	slim(o)
	switch {
	case f.forget:
	case deleted:
		delete(f.known, string(o.GetUID()))
	default:
		f.known[string(o.GetUID())] = o
	}
	f.take(o, deleted)
}

// slim drops what is large and tells nothing. Times of managed fields stay: they tell when.
func slim(o metav1.Object) {
	fields := o.GetManagedFields()
	for i := range fields {
		fields[i].FieldsV1 = nil
	}
	annotations := o.GetAnnotations()
	delete(annotations, "kubectl.kubernetes.io/last-applied-configuration")
}

// Add takes an object that the watch says is new.
func (f *feed[T]) Add(obj any) error { f.seen(obj, false); return nil }

// Update takes an object that the watch says has changed.
func (f *feed[T]) Update(obj any) error { f.seen(obj, false); return nil }

// Delete takes the last version of an object that is gone.
func (f *feed[T]) Delete(obj any) error { f.seen(obj, true); return nil }

// Replace takes a list: what was known and is not in it is gone.
func (f *feed[T]) Replace(list []any, _ string) error {
	gone := f.known
	f.known = make(map[string]T, len(list))
	for _, obj := range list {
		if o, ok := obj.(T); ok {
			delete(gone, string(o.GetUID()))
		}
	}
	for _, o := range gone {
		f.take(o, true)
	}
	for _, obj := range list {
		f.seen(obj, false)
	}
	return nil
}

// Resync is not needed.
func (f *feed[T]) Resync() error { return nil }

// The rest of cache.Store, which reflectors do not use.

// List gives nothing.
func (f *feed[T]) List() []any { return nil }

// ListKeys gives nothing.
func (f *feed[T]) ListKeys() []string { return nil }

// Get gives nothing.
func (f *feed[T]) Get(any) (any, bool, error) { return nil, false, nil }

// GetByKey gives nothing.
func (f *feed[T]) GetByKey(string) (any, bool, error) { return nil, false, nil }
