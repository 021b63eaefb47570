package archive

import (
	"container/list"
	"sync"
)

// cache keeps what was used last, up to so many bytes. All methods may be called at once.
type cache struct {
	mu    sync.Mutex
	room  int64                    // guarded by mu; bytes left, may be below 0 by one entry
	items map[string]*list.Element // guarded by mu
	order *list.List               // guarded by mu; newest in front
}

type cached struct {
	key  string
	v    any
	size int64
}

func newCache(bytes int64) *cache {
	return &cache{room: bytes, items: map[string]*list.Element{}, order: list.New()}
}

// get gives what was put, or nil.
func (c *cache) get(key string) any {
	c.mu.Lock()
	defer c.mu.Unlock()
	e := c.items[key]
	if e == nil {
		return nil
	}
	c.order.MoveToFront(e)
	return e.Value.(cached).v //nolint:forcetypeassert // nothing else is put in
}

// put keeps v, of about so many bytes; the longest unused make room.
func (c *cache) put(key string, v any, size int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(key)
	c.items[key] = c.order.PushFront(cached{key, v, size})
	c.room -= size
	for c.room < 0 && c.order.Len() > 1 {
		c.drop(c.order.Back().Value.(cached).key) //nolint:forcetypeassert // nothing else is put in
	}
}

// remove forgets an entry.
func (c *cache) remove(key string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.drop(key)
}

func (c *cache) drop(key string) {
	if e := c.items[key]; e != nil {
		c.room += e.Value.(cached).size //nolint:forcetypeassert // nothing else is put in
		c.order.Remove(e)
		delete(c.items, key)
	}
}
