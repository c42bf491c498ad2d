package redis

import (
	"errors"
	"testing"
	"time"

	"signet/store"
	"signet/store/redis/redistest"
	"signet/store/redis/revocation"
)

// TestRestartThatLosesNothing: one replica has changed a client and a user, another one has disabled both and
// taken a leaked secret away; its clock is behind. When the master was restarted, with all its data, each
// replica does its changes again, and nothing is given back.
func TestRestartThatLosesNothing(t *testing.T) {
	t.Parallel()
	for _, format := range []int{store.Format1, store.Format2} {
		server := redistest.Start(t, redistest.Config{})
		cfg := Config{Addrs: []string{server.Addr()}, Prefix: newPrefix(), Timeout: 10 * time.Second}
		first, second := openUnaware(t, cfg), openUnaware(t, cfg)
		first.deps.Codec.SetFormat(format)
		second.deps.Codec.SetFormat(format)
		ctx, c, u := t.Context(), seedClient(t, first), seedUser(t, first)
		leaked, good := store.Secret{Hash: []byte("leaked")}, store.Secret{Hash: []byte("good")}
		updateClient := func(s *Store, change func(c *store.Client)) {
			if _, err := s.UpdateClient(ctx, c.ID, func(c *store.Client) error { change(c); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		updateUser := func(s *Store, change func(u *store.User)) {
			if _, err := s.UpdateUser(ctx, u.ID, func(u *store.User) error { change(u); return nil }); err != nil {
				t.Fatal(err)
			}
		}
		updateClient(first, func(c *store.Client) { c.Secrets, c.UpdatedAt = []store.Secret{good, leaked}, begun.Add(time.Hour) })
		updateUser(first, func(u *store.User) { u.PasswordHash, u.UpdatedAt = "leaked", begun.Add(time.Hour) })
		updateClient(second, func(c *store.Client) {
			c.Secrets, c.Disabled, c.UpdatedAt = c.Secrets[:1], true, begun
			c.EndSessions()
		})
		updateUser(second, func(u *store.User) { u.PasswordHash, u.Disabled, u.UpdatedAt = "good", true, begun; u.EndSessions() })
		wantClient, err := first.Client(ctx, c.ID)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []*Store{first, second, first} {
			s.reapply(ctx)
			if s.incomplete.Load() {
				t.Error("something could not be done again")
			}
		}
		gotClient, err := second.Client(ctx, c.ID)
		if err != nil || !revocation.SameClient(gotClient, wantClient) {
			t.Errorf("format %d: the client: got %+v, %v, want %+v", format, gotClient, err, wantClient)
		}
		if got, err := second.User(ctx, u.ID); err != nil || !got.Disabled || got.PasswordHash != "good" {
			t.Errorf("format %d: the user: got %+v, %v", format, got, err)
		}
	}
}

// TestRepeatsOfTwoReplicas: a master that has lost a new password gets it back, whichever replica is first: the
// one through which it was changed, or one that only heard that the sessions ended.
func TestRepeatsOfTwoReplicas(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	for _, format := range []int{store.Format1, store.Format2} {
		for _, order := range [][]int{{0, 1}, {1, 0}, {1, 0, 1}, {1, 1, 0}} {
			cfg := Config{Addrs: []string{server.Addr()}, Prefix: newPrefix(), Timeout: 10 * time.Second}
			both := []*Store{openUnaware(t, cfg), openUnaware(t, cfg)}
			for _, s := range both {
				s.deps.Codec.SetFormat(format)
			}
			ctx, u := t.Context(), seedUser(t, both[0])
			dump := func(key string) string {
				text, err := server.Client().Get(ctx, key).Result()
				if err != nil {
					t.Fatal(err)
				}
				return text
			}
			record, name := both[0].deps.Key.User(u.ID), both[0].deps.Key.Username(u.Username)
			oldRecord, oldName := dump(record), dump(name)
			if _, err := both[0].UpdateUser(ctx, u.ID, func(u *store.User) error {
				u.PasswordHash = "new"
				u.EndSessions()
				return nil
			}); err != nil {
				t.Fatal(err)
			}
			redistest.Wait(t, "the other replica to hear of it", func() error {
				if both[1].deps.Revocations.Len() == 0 {
					return errors.New("not yet")
				}
				return nil
			})
			server.Do("set", record, oldRecord)
			server.Do("set", name, oldName)
			for _, i := range order {
				both[i].reapply(ctx)
			}
			got, err := both[0].User(ctx, u.ID)
			if err != nil || got.PasswordHash != "new" {
				t.Errorf("format %d, order %v: got %q, %v", format, order, got.PasswordHash, err)
			}
			_, c, err := both[1].BeginLogin(ctx, begun, store.Attempt{}, u.Username)
			if err != nil || c.PasswordHash != "new" || c.Epoch != got.Epoch {
				t.Errorf("format %d, order %v: the credential: got %+v, %v, want epoch %d", format, order, c, err, got.Epoch)
			}
		}
	}
}
