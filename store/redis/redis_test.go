package redis

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/redistest"
	"signet/store/seal"
	"signet/store/storetest"
)

func TestContract(t *testing.T) {
	server := redistest.Start(t, redistest.Config{Persist: true})
	storetest.Run(t, func(t *testing.T) storetest.Backend {
		return backend(t, Config{Addrs: []string{server.Addr()}})
	})
}

// TestContractSealed is the contract of a store whose records have seals.
func TestContractSealed(t *testing.T) {
	server := redistest.Start(t, redistest.Config{Persist: true})
	storetest.Run(t, func(t *testing.T) storetest.Backend {
		return backend(t, Config{Addrs: []string{server.Addr()}, Seals: testSeals()})
	})
}

// masterKey derives as a master key does.
type masterKey string

func (m masterKey) Derive(purpose string) [32]byte { return sha256.Sum256([]byte(string(m) + purpose)) }

// testSeals are those of one master key, without which no record is read.
func testSeals(others ...masterKey) *seal.Keys {
	seals := seal.New(append([]masterKey{"one"}, others...))
	seals.Require()
	return seals
}

// TestContractOfFormat1 is the contract of a store that has not been raised to format 2.
func TestContractOfFormat1(t *testing.T) {
	server := redistest.Start(t, redistest.Config{Persist: true})
	storetest.Run(t, func(t *testing.T) storetest.Backend {
		b := backend(t, Config{Addrs: []string{server.Addr()}})
		b.Store.(*Store).deps.Codec.SetFormat(store.Format1)
		reopen := b.Reopen
		b.Reopen = func(t *testing.T) store.Store {
			s := reopen(t)
			s.(*Store).deps.Codec.SetFormat(store.Format1)
			return s
		}
		return b
	})
}

func TestContractOnCluster(t *testing.T) {
	cluster := redistest.StartCluster(t, 3, 0)
	storetest.Run(t, func(t *testing.T) storetest.Backend {
		return backend(t, Config{Mode: conn.Cluster, Addrs: cluster.Addrs()})
	})
}

// TestContractThroughSentinel also has replicas, so whatever must not be lost waits for one.
func TestContractThroughSentinel(t *testing.T) {
	sentinels := redistest.StartSentinel(t, redistest.SentinelConfig{})
	storetest.Run(t, func(t *testing.T) storetest.Backend {
		return backend(t, Config{Mode: conn.Sentinel, Addrs: sentinels.Addrs(), Master: sentinels.MasterName(), WaitReplicas: 1})
	})
}

var prefixes atomic.Int64

// backend is an empty store: under a prefix of its own, on a server that others share.
func backend(t *testing.T, cfg Config) storetest.Backend {
	cfg.Prefix = newPrefix()
	cfg.Timeout, cfg.PoolSize = 10*time.Second, 100 // the machine may be busy; this is not about time
	s := mustOpen(t, cfg)
	return storetest.Backend{
		Store:  s,
		Reopen: func(t *testing.T) store.Store { return mustOpen(t, cfg) },
		OpenError: func(t *testing.T) error {
			again, err := Open(t.Context(), cfg)
			if err == nil {
				again.Close()
			}
			return err
		},
		Retain: func(t *testing.T, keep store.Retention) store.Store {
			cfg := cfg
			cfg.Prefix, cfg.Retention = newPrefix(), keep
			return mustOpen(t, cfg)
		},
		Bound: func(t *testing.T, logouts int) store.Store {
			cfg := cfg
			cfg.Prefix, cfg.MaxLogouts = newPrefix(), logouts
			return mustOpen(t, cfg)
		},
		Fault: func(t *testing.T, at storetest.Fault) func() { return s.injectFault(at) },
	}
}

// mustOpen opens a store that decides by the times of its callers.
func mustOpen(t testing.TB, cfg Config) *Store {
	t.Helper()
	cfg.callersTime = true
	s, err := Open(t.Context(), cfg)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

var errInjected = errors.New("the connection was lost, says the test")

// injectFault makes writes fail before or after the server has carried them out.
func (s *Store) injectFault(at storetest.Fault) (clear func()) {
	hook := &faultHook{at: at}
	hook.on.Store(true)
	add := func(_ context.Context, node *redis.Client) error { node.AddHook(hook); return nil }
	_ = s.deps.Conn.EachMaster(context.Background(), add)
	return func() { hook.on.Store(false) }
}

type faultHook struct {
	at storetest.Fault
	on atomic.Bool
}

func (h *faultHook) DialHook(next redis.DialHook) redis.DialHook { return next }

func (h *faultHook) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		return h.fail([]redis.Cmder{cmd}, func() error { return next(ctx, cmd) })
	}
}

func (h *faultHook) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		return h.fail(cmds, func() error { return next(ctx, cmds) })
	}
}

func (h *faultHook) fail(cmds []redis.Cmder, next func() error) error {
	writes := false
	for _, cmd := range cmds {
		writes = writes || strings.HasPrefix(cmd.Name(), "eval") || cmd.Name() == "set" || cmd.Name() == "hdel" || cmd.Name() == "del"
	}
	if !h.on.Load() || !writes {
		return next()
	}
	if h.at == storetest.AfterCommit {
		_ = next()
		if strings.HasPrefix(fmt.Sprint(cmds[0].Err()), "NOSCRIPT") {
			return cmds[0].Err() // it has not happened yet
		}
	}
	for _, cmd := range cmds {
		cmd.SetErr(errInjected)
	}
	return errInjected
}
