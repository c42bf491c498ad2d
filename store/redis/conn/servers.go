package conn

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
	"github.com/redis/go-redis/v9/maintnotifications"
	"github.com/sony/gobreaker/v2"
)

// Nothing waits longer than these and Config.Timeout, whatever the network does.
const (
	dialTimeout = time.Second
	poolTimeout = 200 * time.Millisecond // for a connection that is free
)

// waitTimeout is how long replicas have to confirm: less than a round trip may take, or the answer
// that they have not would be lost.
func (cfg Config) waitTimeout() time.Duration { return cfg.Timeout * 3 / 5 }

// servers are the Redis servers behind one store. Exactly one of single and cluster is set.
type servers struct {
	single  *redis.Client
	cluster *redis.ClusterClient
	options redis.Options // of a client of one node

	mu       sync.Mutex
	breakers map[string]*breaker
	clocks   map[string]*serverClock
	others   map[string]*redis.Client // nodes that we were sent to and that the cluster's map did not have
}

type breaker = gobreaker.TwoStepCircuitBreaker[struct{}]

var quiet sync.Once // go-redis has one logger for all

func newServers(cfg Config) (*servers, error) {
	quiet.Do(func() { redis.SetLogger(&logging.VoidLogger{}) })
	if len(cfg.Addrs) == 0 {
		return nil, errors.New("redis: no address")
	}
	options := cfg.options()
	s := &servers{options: *options.Simple(), breakers: map[string]*breaker{}, clocks: map[string]*serverClock{}, others: map[string]*redis.Client{}}
	switch cfg.Mode {
	case Standalone:
		s.single = redis.NewClient(options.Simple())
	case Sentinel:
		s.single = redis.NewFailoverClient(options.Failover())
	case Cluster:
		cluster := options.Cluster()
		cluster.ClusterStateReloadInterval = cfg.Reload // go-redis does not look by itself when a node is gone
		s.cluster = redis.NewClusterClient(cluster)
	default:
		return nil, fmt.Errorf("redis: unknown mode %q", cfg.Mode)
	}
	return s, nil
}

// options turn off every repetition by go-redis. A rotation whose reply was lost is repeated by the
// app, and the breaker decides whether a dial is repeated.
func (cfg Config) options() *redis.UniversalOptions {
	o := &redis.UniversalOptions{
		Addrs: cfg.Addrs, MasterName: cfg.Master, DB: cfg.DB, Protocol: 2, TLSConfig: cfg.TLS,
		OnConnect:                  func(context.Context, *redis.Conn) error { cfg.Connected(); return nil },
		CredentialsProviderContext: credentials(cfg.Username, cfg.Password), SentinelUsername: cfg.SentinelUsername,
		MaxRetries: -1, MaxRedirects: -1, DialerRetries: 1, DialTimeout: dialTimeout, ReadTimeout: cfg.Timeout, WriteTimeout: cfg.Timeout,
		ContextTimeoutEnabled: true, PoolSize: cmp.Or(cfg.PoolSize, 10*runtime.GOMAXPROCS(0)), PoolTimeout: poolTimeout, ConnMaxIdleTime: 5 * time.Minute,
		DisableIdentity: true, MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if cfg.SentinelPassword != nil {
		o.SentinelPassword, _ = cfg.SentinelPassword() // New's caller has checked it; the Sentinels refuse an empty one
	}
	return o
}

// credentials asks for the password at each new connection.
func credentials(username string, password func() (string, error)) func(context.Context) (string, string, error) {
	if password == nil {
		return nil
	}
	return func(context.Context) (string, string, error) {
		secret, err := password()
		return username, secret, err
	}
}

// nodeFor returns the client of the server that has the key's slot.
func (s *servers) nodeFor(ctx context.Context, key string) (*redis.Client, error) {
	if s.single != nil {
		return s.single, nil
	}
	return s.cluster.MasterForKey(ctx, key)
}

// nodeAt returns a client of the node that we were sent to.
func (s *servers) nodeAt(addr string) *redis.Client {
	s.mu.Lock()
	defer s.mu.Unlock()
	node := s.others[addr]
	if node == nil {
		options := s.options
		options.Addr = addr
		node = redis.NewClient(&options)
		s.others[addr] = node
	}
	return node
}

// stale asks for a new map of the cluster, in the background.
func (s *servers) stale(ctx context.Context) {
	if s.cluster != nil {
		s.cluster.ReloadState(ctx)
	}
}

// breakerOf returns the breaker of one node. After repeated failures it is open: callers are
// answered at once, and one of them a second tries whether the node works again.
func (s *servers) breakerOf(node *redis.Client) *breaker {
	addr := node.Options().Addr
	s.mu.Lock()
	defer s.mu.Unlock()
	b := s.breakers[addr]
	if b == nil {
		b = gobreaker.NewTwoStepCircuitBreaker[struct{}](gobreaker.Settings{
			Name: addr, MaxRequests: 1, Interval: 5 * time.Second, BucketPeriod: time.Second, Timeout: time.Second,
			ReadyToTrip:  tripped,
			IsSuccessful: func(err error) bool { return !failed(err) },
			IsExcluded:   tellsNothing,
		})
		s.breakers[addr] = b
	}
	return b
}

// tripped: ten failures in a row, or twenty that are half of all within five seconds.
func tripped(c gobreaker.Counts) bool {
	return c.ConsecutiveFailures >= 10 || c.TotalFailures >= 20 && c.TotalFailures*2 >= c.Requests-c.TotalExclusions
}

// open counts the nodes whose breaker lets nothing through.
func (s *servers) open() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.breakers {
		if b.State() == gobreaker.StateOpen {
			n++
		}
	}
	return n
}

func (s *servers) close() {
	if s.single != nil {
		s.single.Close()
	} else {
		s.cluster.Close()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, node := range s.others {
		node.Close()
	}
}
