package conn

import (
	"context"
	"crypto/tls"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

// Config has the addresses of Redis, the credentials and the limits. Mode, Addrs, Timeout, Barrier, Connected and Observe are required.
type Config struct {
	Mode   Mode
	Addrs  []string // host:port: the server, the Sentinels, or some nodes of the cluster
	Master string   // Sentinel's name for the master
	DB     int      // not in a cluster

	TLS      *tls.Config // nil: no TLS
	Username string      // ACL user; empty: the default user
	// Password functions are asked at each new connection; nil: no password.
	Password         func() (string, error)
	SentinelUsername string // of the Sentinels themselves
	SentinelPassword func() (string, error)

	PoolSize     int           // connections to each server; 0: ten for each core
	WaitReplicas int           // how many replicas must confirm what must not be lost, where there are any; 0: none
	Reload       time.Duration // how often the map of a cluster is read anew
	Timeout      time.Duration // the longest that one round trip may take

	Barrier   func(key string) string                                                // a key in the slot of another that may be written at any time
	Connected func()                                                                 // called at each new connection
	Observe   func(ctx context.Context, doing string, took time.Duration, err error) // called for every round trip
}

// Mode is how several Redis servers make one store.
type Mode string

// The modes.
const (
	Standalone Mode = "standalone"
	Sentinel   Mode = "sentinel"
	Cluster    Mode = "cluster"
)

// Conn sends calls to the servers of one store. All methods may be called concurrently.
type Conn struct {
	cfg     Config
	servers *servers

	closed     atomic.Bool
	refusing   atomic.Pointer[error] // see Refuse
	late       atomic.Uint64
	replicated atomic.Bool // some master has, or had, a replica
}

// New returns a Conn that connects with its first call.
func New(cfg Config) (*Conn, error) {
	servers, err := newServers(cfg)
	if err != nil {
		return nil, err
	}
	return &Conn{cfg: cfg, servers: servers}, nil
}

// Close closes all connections. Calls fail from then on.
func (cn *Conn) Close() {
	cn.closed.Store(true)
	cn.servers.close()
}

// Refuse makes Do fail with the reason, until it is nil.
func (cn *Conn) Refuse(why error) {
	if why == nil {
		cn.refusing.Store(nil)
		return
	}
	cn.refusing.Store(&why)
}

// Refused reports whether Do is made to fail.
func (cn *Conn) Refused() bool { return cn.refusing.Load() != nil }

// EachMaster calls visit for every server that takes writes; in a cluster for several at once.
func (cn *Conn) EachMaster(ctx context.Context, visit func(ctx context.Context, node *redis.Client) error) error {
	if cn.servers.single != nil {
		return visit(ctx, cn.servers.single)
	}
	return cn.servers.cluster.ForEachMaster(ctx, visit)
}

// Page is how many keys EachKey visits at a time, at most.
const Page = 500

// EachKey visits every key that matches a pattern, some at a time, one server after the other. A key may come twice.
func (cn *Conn) EachKey(ctx context.Context, pattern string, visit func(keys []string) error) error {
	var one sync.Mutex
	var stopped error // by visit
	err := cn.EachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		one.Lock()
		defer one.Unlock()
		for cursor := uint64(0); ; {
			keys, next, err := node.Scan(ctx, cursor, pattern, 2*Page).Result()
			if err != nil {
				return err
			}
			for some := range slices.Chunk(keys, Page) {
				if stopped = visit(some); stopped != nil {
					return stopped
				}
			}
			if cursor = next; cursor == 0 {
				return nil
			}
		}
	})
	if stopped != nil || err == nil {
		return stopped
	}
	return Unavailable("walking over the keys", err)
}

// EachString reads one string for each key and visits those that are there.
func (cn *Conn) EachString(ctx context.Context, doing string, keys []string, visit func(i int, raw string) error) error {
	if len(keys) == 0 {
		return nil
	}
	calls := make([]*Call, len(keys))
	for i, key := range keys {
		calls[i] = Command(key, "get", key)
	}
	if err := cn.Do(ctx, doing, calls...); err != nil {
		return err
	}
	for i, c := range calls {
		raw, found := c.Text()
		if !found {
			continue
		}
		if err := visit(i, raw); err != nil {
			return err
		}
	}
	return nil
}

// Node returns the client of the server that has the key's slot.
func (cn *Conn) Node(ctx context.Context, key string) (*redis.Client, error) {
	return cn.servers.nodeFor(ctx, key)
}

// Subscribe subscribes to a channel. go-redis subscribes again after a failure.
func (cn *Conn) Subscribe(ctx context.Context, channel string) *redis.PubSub {
	if cn.servers.single != nil {
		return cn.servers.single.Subscribe(ctx, channel)
	}
	return cn.servers.cluster.Subscribe(ctx, channel)
}

// ForgetFailures closes every breaker.
func (cn *Conn) ForgetFailures() {
	cn.servers.mu.Lock()
	defer cn.servers.mu.Unlock()
	clear(cn.servers.breakers)
}

// Stats are counts for the operator.
type Stats struct {
	LateCommands uint64 // replies that a command had come after its deadline, and had changed nothing
	BreakersOpen int    // servers whose breaker fails calls at once at this moment
	Pool         redis.PoolStats
}

// Stats returns the counts of this moment.
func (cn *Conn) Stats() Stats {
	s := Stats{LateCommands: cn.late.Load(), BreakersOpen: cn.servers.open()}
	if cn.servers.single != nil {
		s.Pool = *cn.servers.single.PoolStats()
	} else {
		s.Pool = *cn.servers.cluster.PoolStats()
	}
	return s
}

// Server is a master, and what it returns for INFO.
type Server struct {
	Addr   string
	Fields map[string]string
}

// Name is the address for people; go-redis does not have that of a master found by Sentinel.
func (s Server) Name() string {
	if strings.Contains(s.Addr, ":") {
		return s.Addr
	}
	return "the master on port " + s.Fields["tcp_port"]
}

// Masters asks every master for INFO, and returns them by run id. It does not use the breakers, so it also finds out that
// a server works again.
func (cn *Conn) Masters(ctx context.Context) (map[string]Server, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout+cn.cfg.Timeout)
	defer cancel()
	found := map[string]Server{}
	var mu sync.Mutex
	err := cn.EachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		text, err := node.Info(ctx).Result()
		if err != nil {
			return err
		}
		cn.servers.sampleClock(ctx, node)
		server := Server{node.Options().Addr, parseInfo(text)}
		if server.Fields["loading"] == "1" {
			return errors.New("LOADING it is reading its data")
		}
		mu.Lock()
		defer mu.Unlock()
		found[server.Fields["run_id"]] = server
		return nil
	})
	if err == nil && len(found) == 0 {
		err = errors.New("there is no master")
	}
	if err != nil {
		return found, err
	}
	for _, server := range found {
		if server.Fields["connected_slaves"] != "0" {
			cn.replicated.Store(true)
		}
	}
	return found, nil
}

func parseInfo(text string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		name, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		if ok {
			fields[name] = value
		}
	}
	return fields
}
