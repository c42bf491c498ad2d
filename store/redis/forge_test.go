package redis

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"signet/store"
	"signet/store/redis/layout"
	"signet/store/redis/redistest"
	"signet/store/redis/replica"
	"signet/store/redis/revocation"
	"signet/store/seal"
)

// unsealed encodes records without seals.
func unsealed(format int) *layout.Codec {
	c := &layout.Codec{}
	c.SetFormat(format)
	return c
}

// attacked is a sealed store and somebody else who can write to its Redis.
type attacked struct {
	t        *testing.T
	s        *Store
	key      layout.Keyspace
	attacker *redis.Client
	ada, bob store.User
}

func attack(t *testing.T) *attacked {
	server := redistest.Start(t, redistest.Config{})
	cfg := Config{Addrs: []string{server.Addr()}, Seals: testSeals(), Prefix: newPrefix(), Timeout: 10 * time.Second}
	a := &attacked{t: t, s: mustOpen(t, cfg), key: layout.Keyspace(cfg.Prefix), attacker: redis.NewClient(&redis.Options{Addr: server.Addr()})}
	t.Cleanup(func() { a.attacker.Close() })
	a.ada = store.User{ID: store.UserID{1}, Username: "ada", PasswordHash: "$argon2id$ada"}
	a.bob = store.User{ID: store.UserID{2}, Username: "bob", PasswordHash: "$argon2id$bob"}
	for _, u := range []store.User{a.ada, a.bob} {
		if err := a.s.CreateUser(t.Context(), u); err != nil {
			t.Fatal(err)
		}
	}
	if err := a.s.CreateClient(t.Context(), store.Client{ID: "web", Grants: []string{"password"}}); err != nil {
		t.Fatal(err)
	}
	return a
}

func (a *attacked) get(key string) string {
	a.t.Helper()
	raw, err := a.attacker.Get(a.t.Context(), key).Result()
	if err != nil {
		a.t.Fatal(err)
	}
	return raw
}

func (a *attacked) set(key, raw string) {
	a.t.Helper()
	if err := a.attacker.Set(a.t.Context(), key, raw, 0).Err(); err != nil {
		a.t.Fatal(err)
	}
}

// refused wants the one defined answer to a record that does not verify.
func (a *attacked) refused(what string, err error) {
	a.t.Helper()
	if !errors.Is(err, store.ErrUnavailable) || !errors.Is(err, seal.ErrForged) {
		a.t.Errorf("%s: got %v, want ErrUnavailable and ErrForged", what, err)
	}
}

func (a *attacked) begin(username string) (store.Credential, error) {
	_, c, err := a.s.BeginLogin(a.t.Context(), time.Now(), store.Attempt{}, username)
	return c, err
}

// TestForgedUsers: one user's password does not become another's, and no role is given, by whatever is
// written into the records of users and names.
func TestForgedUsers(t *testing.T) {
	n := byte(0)
	start := func(a *attacked) error {
		n++
		_, _, err := a.s.StartSession(t.Context(), store.Session{ID: store.SessionID{n}, UserID: a.ada.ID, ClientID: "web", StartedAt: time.Now()}, store.SessionLimits{})
		return err
	}
	t.Run("hashes exchanged in the records", func(t *testing.T) {
		a := attack(t)
		ada, bob := a.get(a.key.User(a.ada.ID)), a.get(a.key.User(a.bob.ID))
		a.set(a.key.User(a.ada.ID), strings.Replace(ada, "$argon2id$ada", "$argon2id$bob", 1))
		a.set(a.key.User(a.bob.ID), strings.Replace(bob, "$argon2id$bob", "$argon2id$ada", 1))
		_, err := a.s.User(t.Context(), a.ada.ID)
		a.refused("User", err)
		_, err = a.s.UserByName(t.Context(), "bob")
		a.refused("UserByName", err)
		_, err = a.s.ListUsers(t.Context(), "", 9)
		a.refused("ListUsers", err)
		a.refused("StartSession", start(a))
		_, err = a.s.UpdateUser(t.Context(), a.ada.ID, func(*store.User) error { return nil })
		a.refused("UpdateUser", err)
		_, err = a.s.TokenState(t.Context(), store.TokenRef{JTI: "x", UserID: a.ada.ID})
		a.refused("TokenState", err)
	})
	t.Run("whole records exchanged", func(t *testing.T) {
		a := attack(t)
		a.set(a.key.User(a.ada.ID), a.get(a.key.User(a.bob.ID)))
		a.refused("StartSession", start(a))
	})
	t.Run("a record without a seal", func(t *testing.T) {
		a := attack(t)
		a.ada.PasswordHash = "$argon2id$bob"
		a.set(a.key.User(a.ada.ID), unsealed(store.Format1).EncodeUser(a.ada))
		a.refused("StartSession", start(a))
		a.set(a.key.User(a.ada.ID), unsealed(store.Format2).EncodeUser(a.ada))
		a.refused("StartSession", start(a))
	})
	t.Run("the copy beside the name", func(t *testing.T) {
		a := attack(t)
		name := a.get(a.key.Username("ada"))
		a.set(a.key.Username("ada"), strings.Replace(name, "$argon2id$ada", "$argon2id$bob", 1))
		_, err := a.begin("ada")
		a.refused("BeginLogin", err)
		a.set(a.key.Username("ada"), a.get(a.key.Username("bob")))
		_, err = a.begin("ada")
		a.refused("BeginLogin as bob", err)
		_, err = a.s.UserByName(t.Context(), "ada")
		a.refused("UserByName", err)
		a.set(a.key.Username("ada"), unsealed(store.Format1).EncodeName("bob", layout.NameOf(a.bob)))
		_, err = a.begin("ada")
		a.refused("BeginLogin with a name that has no seal", err)
	})
	t.Run("names that are changed as they should be", func(t *testing.T) {
		a := attack(t)
		if _, err := a.s.UpdateUser(t.Context(), a.ada.ID, func(u *store.User) error { u.PasswordHash = "$argon2id$new"; return nil }); err != nil {
			t.Fatal(err)
		}
		if c, err := a.begin("ada"); err != nil || c.PasswordHash != "$argon2id$new" {
			t.Errorf("got %+v, %v", c, err)
		}
	})
}

// TestForgedClients: nobody becomes a client, or gets the rights of one.
func TestForgedClients(t *testing.T) {
	a := attack(t)
	clients := a.key.All(layout.Clients, layout.ClientsVersion)
	raw := a.attacker.HGet(t.Context(), clients[0], "web").Val()
	admin, _ := json.Marshal(store.Client{ID: "evil", Grants: []string{"client_credentials"}, Scopes: []string{"signet:admin"}})
	for what, forged := range map[string]map[string]string{
		"one made up":        {"evil": string(admin)},
		"another one's seal": {"evil": string(admin) + raw[len(raw)-seal.Overhead:]},
		"a copy of another":  {"evil": raw},
		"with another grant": {"web": strings.Replace(raw, `"password"`, `"implicit"`, 1)},
	} {
		for id, record := range forged {
			a.attacker.HSet(t.Context(), clients[0], id, record)
			_, err := a.s.Client(t.Context(), id)
			a.refused(what, err)
			_, err = a.s.ListClients(t.Context(), "", 9)
			a.refused(what+", listed", err)
			a.attacker.HDel(t.Context(), clients[0], id)
		}
	}
}

// TestForgedHeartbeats: a heartbeat that nobody sent is as if it were not there.
func TestForgedHeartbeats(t *testing.T) {
	a := attack(t)
	now := time.Now()
	if err := a.s.Beat(t.Context(), store.Heartbeat{Replica: "one", At: now}, time.Minute); err != nil {
		t.Fatal(err)
	}
	real := a.attacker.HGet(t.Context(), a.key.Of(layout.Beats), "one").Val()
	made, _ := json.Marshal(struct {
		store.Heartbeat
		Until time.Time `json:"until"`
	}{store.Heartbeat{Replica: "two", At: now.Add(time.Hour)}, now.Add(2 * time.Hour)})
	a.attacker.HSet(t.Context(), a.key.Of(layout.Beats), "two", made, "three", real, "four", string(made)+real[len(real)-seal.Overhead:])
	beats, err := a.s.Beats(t.Context(), now)
	if err != nil || len(beats) != 1 || beats[0].Replica != "one" {
		t.Errorf("got %+v, %v, want the one that was sent", beats, err)
	}
}

// TestForgedHints: a revocation that nobody made ends nothing.
func TestForgedHints(t *testing.T) {
	a := attack(t)
	session, _, err := a.s.StartSession(t.Context(), store.Session{ID: store.SessionID{1}, UserID: a.ada.ID, ClientID: "web", StartedAt: time.Now()}, store.SessionLimits{})
	if err != nil {
		t.Fatal(err)
	}
	before := a.s.cfg.Seals.Forged()
	for _, m := range []replica.Message{
		replica.Ended(revocation.Ended{User: a.ada.ID, Session: session.ID}),
		replica.Ended(revocation.Ended{User: a.ada.ID, NotBefore: revocation.ForEver}),
		replica.Ended(revocation.Ended{User: a.ada.ID, Epoch: 9}),
		replica.Ended(revocation.Ended{JTI: "jti", NotBefore: revocation.ForEver}),
	} {
		raw, _ := json.Marshal(m)
		a.attacker.Publish(t.Context(), a.key.Of(layout.Hints), raw)
	}
	for deadline := time.Now().Add(10 * time.Second); a.s.cfg.Seals.Forged() < before+4; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the forged messages do not arrive")
		}
	}
	limits := store.Lifetimes{Idle: time.Hour, Absolute: time.Hour}
	_, _, outcome, err := a.s.Rotate(t.Context(), store.Rotation{UserID: a.ada.ID, SessionID: session.ID, ClientID: "web", Now: time.Now(), Lifetimes: limits})
	if err != nil || outcome != store.Rotated {
		t.Errorf("the session: got %v, %v, want rotated", outcome, err)
	}
	state, err := a.s.TokenState(t.Context(), store.TokenRef{JTI: "jti", UserID: a.ada.ID, SessionID: session.ID})
	if err != nil || state.Revoked || !state.Live {
		t.Errorf("the token: got %+v, %v, want a live one", state, err)
	}
}

// TestForgedInstall: the record with the format of the data is not changed by others.
func TestForgedInstall(t *testing.T) {
	a := attack(t)
	in := store.Install{ID: "one", Schema: Schema, CreatedAt: time.Now().UTC()}
	if err := a.s.CreateInstall(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	good := a.get(a.key.Of(layout.Install))
	in.Schema = store.Format1
	lower, _ := json.Marshal(in)
	for _, forged := range []string{string(lower), string(lower) + good[len(good)-seal.Overhead:], strings.Replace(good, `"one"`, `"two"`, 1)} {
		a.set(a.key.Of(layout.Install), forged)
		_, err := a.s.Install(t.Context())
		a.refused("Install", err)
		_, err = Open(t.Context(), a.s.cfg)
		a.refused("Open", err)
	}
	a.set(a.key.Of(layout.Install), good)
	if _, err := a.s.Install(t.Context()); err != nil {
		t.Errorf("put back: %v", err)
	}
	if a.s.Format() != store.Format2 {
		t.Errorf("the format is %d", a.s.Format())
	}
}
