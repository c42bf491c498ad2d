package server

import (
	"context"
	"sync"
	"time"

	"signet/store"
)

// clientCache keeps clients as they were read a moment ago, so that a request that needs nothing
// else of the store costs it no round trip. A change made through this server is seen at once; one
// made through another replica after at most maxAge.
type clientCache struct {
	store  store.Clients
	now    func() time.Time
	maxAge time.Duration

	mu      sync.RWMutex
	entries map[string]cachedClient
	epoch   uint64 // counts drops, so that a read that began before one is not kept
	origins map[string]bool
	listed  time.Time
}

type cachedClient struct {
	client store.Client
	read   time.Time
}

const maxCachedClients = 10_000

func newClientCache(s store.Clients, now func() time.Time, maxAge time.Duration) *clientCache {
	return &clientCache{store: s, now: now, maxAge: maxAge, entries: make(map[string]cachedClient)}
}

// get returns the client or store.ErrNotFound. The caller must not change what it points to.
// Unknown ids are not kept: they would let anybody fill the memory.
func (c *clientCache) get(ctx context.Context, id string) (*store.Client, error) {
	now := c.now()
	c.mu.RLock()
	entry, ok := c.entries[id]
	epoch := c.epoch
	c.mu.RUnlock()
	if age := now.Sub(entry.read); ok && age >= 0 && age < c.maxAge {
		return &entry.client, nil
	}
	client, err := c.store.Client(ctx, id)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.epoch == epoch {
		if len(c.entries) >= maxCachedClients {
			clear(c.entries)
		}
		c.entries[id] = cachedClient{client, now}
	}
	return &client, nil
}

// drop forgets what was cached of the client, after it was changed.
func (c *clientCache) drop(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.epoch++
	delete(c.entries, id)
	c.listed = time.Time{}
}

// anyLists reports whether some client is registered with the origin. When the store cannot say,
// the answer is no: the browser then hides the answer from the script, and nothing else changes.
func (c *clientCache) anyLists(ctx context.Context, origin string) bool {
	if origin == "" {
		return false
	}
	now := c.now()
	c.mu.RLock()
	origins, listed := c.origins, c.listed
	c.mu.RUnlock()
	if age := now.Sub(listed); origins == nil || age < 0 || age >= c.maxAge {
		fresh, err := c.allOrigins(ctx)
		if err != nil {
			return false
		}
		c.mu.Lock()
		c.origins, c.listed = fresh, now
		c.mu.Unlock()
		origins = fresh
	}
	return origins[origin]
}

func (c *clientCache) allOrigins(ctx context.Context) (map[string]bool, error) {
	const page = 500
	origins := make(map[string]bool)
	for after := ""; ; {
		clients, err := c.store.ListClients(ctx, after, page)
		if err != nil {
			return nil, err
		}
		for _, client := range clients {
			for _, origin := range client.Origins {
				origins[origin] = true
			}
		}
		if len(clients) < page {
			return origins, nil
		}
		after = clients[len(clients)-1].ID
	}
}
