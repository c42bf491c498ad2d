package server_test

import (
	"context"
	"sync/atomic"
	"testing"
	"time"

	"signet/server"
	"signet/server/servertest"
	"signet/store"
)

// tollgate counts what an authentication asks of the store.
type tollgate struct {
	store.Store
	asked atomic.Int32
}

func (g *tollgate) Client(ctx context.Context, id string) (store.Client, error) {
	g.asked.Add(1)
	return g.Store.Client(ctx, id)
}

func (g *tollgate) ClientsVersion(ctx context.Context) (string, error) {
	g.asked.Add(1)
	return g.Store.ClientsVersion(ctx)
}

func (g *tollgate) Count(ctx context.Context, now time.Time, s store.Scope) (time.Duration, error) {
	g.asked.Add(1)
	return g.Store.Count(ctx, now, s)
}

// A store over a network takes as long as it is asked often. So whoever is turned away costs the same,
// a client that is cached, one that is not and one that does not exist; and who is let in costs nothing.
func TestRefusalsCostTheSame(t *testing.T) {
	t.Parallel()
	g := &tollgate{}
	s := servertest.New(t, func(cfg *server.Config) { g.Store, cfg.Store = cfg.Store, g })
	key, stranger := servertest.NewAppKey(t, "ES256"), servertest.NewAppKey(t, "ES256")
	addRobot(t, s, key.JWK(""))
	secret := func(id, secret string) *servertest.Request {
		return s.Form(t, "/token", "grant_type=client_credentials").Basic(id, secret)
	}
	good := []*servertest.Request{secret(servertest.Service, servertest.ServiceSecret), s.Asserted(t, key, robot)}
	for _, r := range good {
		r.Wants(200, "") // and is cached
	}
	for _, row := range []struct {
		name   string
		r      *servertest.Request
		status int
		want   int32
	}{
		{"right secret", secret(servertest.Service, servertest.ServiceSecret), 200, 0},
		{"right key", s.Asserted(t, key, robot), 200, 0},
		{"wrong secret", secret(servertest.Service, "canary"), 401, 2},
		{"wrong secret, not cached", secret(servertest.Web, "canary"), 401, 2},
		{"unknown", secret("nobody", "canary"), 401, 2},
		{"wrong key", s.Asserted(t, stranger, robot), 401, 2},
		{"unknown with a key", s.Asserted(t, stranger, "nobody"), 401, 2},
	} {
		g.asked.Store(0)
		if status := row.r.Do().Status; status != row.status || g.asked.Load() != row.want {
			t.Errorf("%s: got %d and asked the store %d times, want %d and %d", row.name, status, g.asked.Load(), row.status, row.want)
		}
	}
}
