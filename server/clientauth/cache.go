package clientauth

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"signet/keys/jose"
	"signet/server/syntax"
	"signet/store"
)

// Cache keeps clients as they were read, so that a request that needs nothing else of the store costs no round trip. It
// is valid for maxAge after the store last reported that no client has changed; call Check before that is over. A change
// through this server is seen at once, a change through another replica when its notification arrives, and without one
// after at most maxAge.
//
// Concurrent reads of one client are not merged: a request that begins after a change must not get a read that began
// before it.
type Cache struct {
	store  store.Clients
	now    func() time.Time
	maxAge time.Duration
	floor  func(store.Client) error // refuses a record that must not be used; may be nil

	mu      sync.RWMutex
	entries map[string]*cachedClient
	lists   *clientLists // nil: not known
	version string       // of the clients that entries and lists were read from, or of older ones
	checked time.Time    // when the store was last asked for it
	epoch   uint64       // counts what was dropped, so that a read that began before is not kept
}

const maxCachedClients = 10_000

// NewCache returns a Cache of clients. check refuses a record that must not be used; nil: none.
func NewCache(s store.Clients, now func() time.Time, maxAge time.Duration, check func(store.Client) error) *Cache {
	return &Cache{store: s, now: now, maxAge: maxAge, floor: check, entries: make(map[string]*cachedClient)}
}

// cachedClient is a client and what is made of its record once, and not for each request.
type cachedClient struct {
	store.Client
	keySet *jose.PublicSet // of its jwks; nil where it has none, or none that can be read
}

func newCachedClient(client store.Client) *cachedClient {
	c := &cachedClient{Client: client}
	if len(client.JWKS) > 0 {
		// They were read when they were registered. What cannot be read now is from a newer version,
		// and the client fails to authenticate as if it had no keys.
		c.keySet, _ = jose.ParsePublicSet(client.JWKS)
	}
	return c
}

// Get returns the client or store.ErrNotFound. The caller must not change what it points to.
func (c *Cache) Get(ctx context.Context, id string) (*store.Client, error) {
	client, _, err := c.find(ctx, id)
	if err != nil {
		return nil, err
	}
	return &client.Client, nil
}

// find is Get with the client's keys beside it; kept reports that the store was not asked for it.
// Unknown ids are not kept: callers could fill the memory with them.
func (c *Cache) find(ctx context.Context, id string) (client *cachedClient, kept bool, err error) {
	if !syntax.ClientID(id) {
		return nil, false, store.ErrNotFound // and the store need not carry it
	}
	if err := c.freshen(ctx); err != nil {
		return nil, false, err
	}
	c.mu.RLock()
	known, epoch := c.entries[id], c.epoch
	c.mu.RUnlock()
	if known != nil {
		return known, true, nil
	}
	record, err := c.store.Client(ctx, id)
	if err == nil && c.floor != nil {
		err = c.floor(record)
	}
	if err != nil {
		return nil, false, err
	}
	client = newCachedClient(record)
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.epoch == epoch {
		if len(c.entries) >= maxCachedClients {
			clear(c.entries)
		}
		c.entries[id] = client
	}
	return client, false, nil
}

// freshen sees to it that what is cached is not older than maxAge.
func (c *Cache) freshen(ctx context.Context) error {
	c.mu.RLock()
	age := c.now().Sub(c.checked)
	c.mu.RUnlock()
	if age >= 0 && age < c.maxAge {
		return nil
	}
	return c.Check(ctx)
}

// Check asks the store whether any client has changed, and forgets all of them if so.
func (c *Cache) Check(ctx context.Context) error {
	asked := c.now()
	version, err := c.store.ClientsVersion(ctx)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.checked = asked
	c.take(version)
	return nil
}

// Drop forgets what was cached of the client, after it was changed.
func (c *Cache) Drop(id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget()
	delete(c.entries, id)
}

// Reread returns the client as the store has it at this moment.
func (c *Cache) Reread(ctx context.Context, id string) (*store.Client, error) {
	c.Drop(id)
	return c.Get(ctx, id)
}

// Learn takes a version of the clients that the store has returned with something else.
func (c *Cache) Learn(version string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.take(version)
}

// take forgets all clients where version is another one.
func (c *Cache) take(version string) {
	if version != c.version {
		c.version = version
		c.forget()
		clear(c.entries)
	}
}

// Unchanged reports whether a request that began with the client may still end with it: it was not
// disabled or deleted, nor were its sessions ended, in a change that this server has acknowledged.
func (c *Cache) Unchanged(ctx context.Context, client *store.Client) (bool, error) {
	now, err := c.Get(ctx, client.ID)
	if errors.Is(err, store.ErrNotFound) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return now == client || !now.Disabled && now.Epoch == client.Epoch && now.NotBefore.Equal(client.NotBefore) && now.CreatedAt.Equal(client.CreatedAt), nil
}

func (c *Cache) forget() {
	c.epoch++
	c.lists = nil
}

// clientLists are what some client is registered with.
type clientLists struct {
	origins   map[string]bool
	audiences map[string]bool // of tokens, or of what a client may introspect
}

// Listed reports whether some client is registered with the origin. While the store does not answer, what
// it returned last counts, so that the scripts of registered pages can read the 503 and its Retry-After. An
// error means that nothing is known.
func (c *Cache) Listed(ctx context.Context, origin string) (bool, error) {
	if origin == "" {
		return false, nil
	}
	lists, err := c.known(ctx)
	if err != nil {
		return false, err
	}
	return lists.origins[origin], nil
}

// IsAudience reports whether some client is registered with the audience.
func (c *Cache) IsAudience(ctx context.Context, name string) (bool, error) {
	lists, err := c.known(ctx)
	if err != nil {
		return false, err
	}
	return lists.audiences[name], nil
}

// known returns what the store returned last, and asks it if it was not asked yet.
func (c *Cache) known(ctx context.Context) (*clientLists, error) {
	stale := c.freshen(ctx)
	c.mu.RLock()
	lists, epoch := c.lists, c.epoch
	c.mu.RUnlock()
	if lists != nil {
		return lists, nil
	}
	if stale != nil {
		return nil, stale
	}
	lists, err := c.readLists(ctx)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.epoch == epoch {
		c.lists = lists
	}
	return lists, nil
}

func (c *Cache) readLists(ctx context.Context) (*clientLists, error) {
	const page = 500
	lists := &clientLists{origins: make(map[string]bool), audiences: make(map[string]bool)}
	for after := ""; ; {
		clients, err := c.store.ListClients(ctx, after, page)
		if err != nil {
			return nil, err
		}
		for _, client := range clients {
			for _, origin := range client.Origins {
				lists.origins[origin] = true
			}
			for _, audience := range slices.Concat(client.Audiences, client.IntrospectFor) {
				lists.audiences[audience] = true
			}
		}
		if len(clients) < page {
			return lists, nil
		}
		after = clients[len(clients)-1].ID
	}
}
