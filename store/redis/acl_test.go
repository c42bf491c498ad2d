package redis

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/redistest"
	"signet/store/storetest"
)

// canary is a password that must not be seen in an error or a log.
const canary = "canary-9b1f60d2"

func secret() (string, error) { return canary, nil }

// TestContractAsRecommendedUser: the rights of users.acl are enough for everything.
func TestContractAsRecommendedUser(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{Conf: []string{recommendedUser(t, "signet", canary)}})
	cfg := Config{Addrs: []string{server.Addr()}, Username: "signet", Password: secret}
	storetest.Run(t, func(t *testing.T) storetest.Backend { return backend(t, cfg) })

	cfg.Prefix = newPrefix()
	s := mustOpen(t, rest(cfg))
	x := newSubject()
	x.populate(t, s)
	for _, m := range upkeep {
		if _, err := m.call(t.Context(), s, x); errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v", m.name, err)
		}
	}
	server.Do("config", "set", "appendfsync", "no")
	findings, err := s.Check(t.Context())
	if err != nil || !slices.ContainsFunc(findings, func(f Finding) bool { return strings.HasPrefix(f.Lacks, "appendfsync") }) {
		t.Errorf("Check may not read the configuration: %v, %v", findings, err)
	}
	for _, entry := range server.Do("acl", "log").([]any) {
		t.Errorf("the server has refused: %v", entry)
	}
}

// TestRecommendedUserOnCluster: and in a cluster, where the user is also told who has which slot,
// and what is told on the channel still arrives.
func TestRecommendedUserOnCluster(t *testing.T) {
	t.Parallel()
	cluster := redistest.StartCluster(t, 2, 0, recommendedUser(t, "signet", canary))
	cfg := rest(Config{Mode: conn.Cluster, Addrs: cluster.Addrs(), Username: "signet", Password: secret, Prefix: newPrefix(), Timeout: 10 * time.Second})
	s, other := mustOpen(t, cfg), mustOpen(t, cfg)
	x := newSubject()
	x.populate(t, s)
	for _, m := range slices.Concat(methods, upkeep) {
		if _, err := m.call(t.Context(), s, x); errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: %v", m.name, err)
		}
	}
	for n := 0; ; n++ {
		jti := fmt.Sprint("heard-", n) // one that is told before the other has subscribed is not heard
		if err := s.RevokeToken(t.Context(), jti, time.Now().Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		heard := false
		for range 100 {
			if heard = other.deps.Revocations.HasToken(jti); heard {
				break
			}
			time.Sleep(time.Millisecond)
		}
		if heard {
			break
		}
		if n == 100 {
			t.Fatal("the other one has heard nothing")
		}
	}
	for _, node := range cluster.Nodes {
		for _, entry := range node.Do("acl", "log").([]any) {
			t.Errorf("a node has refused: %v", entry)
		}
	}
}

// TestLostRight: a command is taken away and given back while the store is open.
func TestLostRight(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{Conf: []string{recommendedUser(t, "signet", canary)}})
	var log syncBuffer
	s := mustOpen(t, rest(Config{
		Addrs: []string{server.Addr()}, Username: "signet", Password: secret, Prefix: newPrefix(), Timeout: 10 * time.Second,
		Log: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}))
	x := newSubject()
	x.populate(t, s)
	for command, m := range map[string]string{"evalsha": "Rotate", "get": "User", "hset": "Rotate", "hgetall": "ListSessions"} {
		m := methods[slices.IndexFunc(methods, func(x method) bool { return x.name == m })]
		server.Do("acl", "setuser", "signet", "-"+command)
		for range 20 { // more than a breaker lets pass
			got, err := m.call(t.Context(), s, x)
			if !isUnavailable(err) || !strings.Contains(fmt.Sprint(err), "NOPERM") && !strings.Contains(fmt.Sprint(err), "can't run this command") {
				t.Errorf("%s without %s: got %v and error %v", m.name, command, got, err)
			}
			noSecret(t, fmt.Sprint(err))
		}
		server.Do("acl", "setuser", "signet", "+"+command)
		if _, err := m.call(t.Context(), s, x); err != nil {
			t.Errorf("%s with %s again: %v", m.name, command, err)
		}
	}
	noSecret(t, log.String())
}

// TestPasswordChange: the password is changed on the server, and every connection is lost.
func TestPasswordChange(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{Conf: []string{recommendedUser(t, "signet", canary)}})
	var password atomic.Pointer[string]
	set := func(p string) { password.Store(&p) }
	set(canary)
	var log syncBuffer
	s := mustOpen(t, rest(Config{
		Addrs: []string{server.Addr()}, Username: "signet", Prefix: newPrefix(), Timeout: 10 * time.Second,
		Password: func() (string, error) { return *password.Load(), nil },
		Log:      slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}))
	x := newSubject()
	x.populate(t, s)

	server.Do("acl", "setuser", "signet", "resetpass", ">"+canary+"-2")
	server.Do("client", "kill", "user", "signet", "skipme", "yes")
	wrong := 0
	for _, m := range methods {
		_, err := m.call(t.Context(), s, x)
		if !isUnavailable(err) {
			t.Errorf("%s with the old password: got error %v", m.name, err)
		}
		if strings.Contains(fmt.Sprint(err), "WRONGPASS") {
			wrong++
		}
		noSecret(t, fmt.Sprint(err))
		s.deps.Conn.ForgetFailures()
	}
	if wrong == 0 {
		t.Error("the server has refused nobody for the password")
	}
	_, err := Open(t.Context(), s.cfg)
	if !isUnavailable(err) || !strings.Contains(fmt.Sprint(err), "WRONGPASS") {
		t.Errorf("Open with the old password: got error %v", err)
	}
	noSecret(t, fmt.Sprint(err))

	set(canary + "-2")
	if _, err := s.User(t.Context(), x.user.ID); err != nil {
		t.Errorf("with the new password: %v", err)
	}

	unreadable := errors.New("the file cannot be read")
	cfg := s.cfg
	cfg.Password = func() (string, error) { return "", unreadable }
	if _, err := Open(t.Context(), cfg); !isUnavailable(err) || !errors.Is(err, unreadable) {
		t.Errorf("Open without its password: got error %v", err)
	}
	noSecret(t, log.String())
}

// TestNoPassword: a server that wants one, and a store that has none.
func TestNoPassword(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{Password: canary})
	if _, err := Open(t.Context(), Config{Addrs: []string{server.Addr()}}); !isUnavailable(err) || !strings.Contains(err.Error(), "NOAUTH") {
		t.Errorf("Open: got error %v, want NOAUTH", err)
	}
	s := mustOpen(t, rest(Config{Addrs: []string{server.Addr()}, Password: secret})) // of the default user
	if err := s.Ping(context.Background()); err != nil {
		t.Error(err)
	}
}

func noSecret(t *testing.T, text string) {
	t.Helper()
	if strings.Contains(text, canary) {
		t.Errorf("the password is in %q", text)
	}
}

// syncBuffer is a log that several goroutines write.
type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *syncBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *syncBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
