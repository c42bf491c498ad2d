package transfer

import (
	"context"
	"crypto/rand"
	"fmt"
	"iter"
	"slices"
	"time"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
	"signet/store/redis/script"
)

// Import implements store.Importer. A key marks an import that is under way: what an earlier one left
// when it broke off is deleted; anything else is not touched.
func (t *Transfer) Import(ctx context.Context, f store.Manifest, records iter.Seq2[store.Record, error]) error {
	if err := t.makeRoom(ctx); err != nil {
		return err
	}
	if err := t.Fill(ctx, records); err != nil {
		return err
	}
	return t.found(ctx, f)
}

// Fill writes records beside what is there, without the checks of Import and Refill.
func (t *Transfer) Fill(ctx context.Context, records iter.Seq2[store.Record, error]) error {
	i := importing{Transfer: t, clients: map[string]struct{}{}}
	for r, err := range records {
		if err != nil {
			return err
		}
		if err := i.add(ctx, r); err != nil {
			return err
		}
	}
	if i.least > 0 {
		i.calls = append(i.calls, conn.Write("set", t.key.Of(layout.ClientsEpoch), i.least))
	}
	return i.flush(ctx)
}

// makeRoom refuses a store that holds anything, unless it is what an import has left.
func (t *Transfer) makeRoom(ctx context.Context) error {
	install, marker := t.key.Of(layout.Install), t.key.Of(layout.Importing)
	exists, unfinished := conn.Command(install, "exists", install), conn.Command(install, "exists", marker)
	if err := t.conn.Do(ctx, "looking whether the store is empty", exists, unfinished); err != nil {
		return err
	}
	if exists.Number() == 1 {
		return fmt.Errorf("the store holds an install already: %w", store.ErrExists)
	}
	if unfinished.Number() == 0 {
		if err := t.CheckEmpty(ctx); err != nil {
			return err
		}
	}
	err := t.conn.EachKey(ctx, t.key.Pattern(""), func(keys []string) error {
		return t.unlink(ctx, slices.DeleteFunc(keys, func(key string) bool { return key == marker }))
	})
	if err != nil {
		return err
	}
	return t.conn.DoDurably(ctx, "beginning the import", conn.Write("set", marker, rand.Text()))
}

// CheckEmpty answers store.ErrExists where some key begins with the prefix: it is another program's,
// or what is left of an install.
func (t *Transfer) CheckEmpty(ctx context.Context) error {
	return t.conn.EachKey(ctx, t.key.Pattern(""), func(keys []string) error {
		for _, key := range keys {
			if !t.key.MeansNothing(key) {
				return fmt.Errorf("keys under the prefix %q are no install, such as %q: %w", string(t.key), key, store.ErrExists)
			}
		}
		return nil
	})
}

// Unfinished reports whether an import was begun here and broke off: the same import, begun again,
// takes the store over.
func (t *Transfer) Unfinished(ctx context.Context) (bool, error) {
	key := t.key.Of(layout.Importing)
	marker := conn.Command(key, "exists", key)
	err := t.conn.Do(ctx, "looking for an unfinished import", marker)
	return marker.Number() == 1, err
}

// found writes the install and the keyring: from here on servers start on what was imported.
func (t *Transfer) found(ctx context.Context, f store.Manifest) error {
	f.Install.Schema = store.Format2
	if f.KeyringVersion > 0 {
		if _, err := t.queries.SwapKeyring(ctx, 0, f.KeyringVersion, f.Keyring); err != nil {
			return err
		}
	}
	if err := t.queries.CreateInstall(ctx, f.Install); err != nil {
		return err
	}
	return t.conn.DoDurably(ctx, "ending the import", conn.Write("del", t.key.Of(layout.Importing)))
}

// importing gathers records into round trips.
type importing struct {
	*Transfer
	calls  []*conn.Call
	checks []func() error
	events []store.Event

	clients map[string]struct{} // that came
	least   uint32              // the least epoch of new clients: a session may be of one that was deleted
}

func (i *importing) add(ctx context.Context, r store.Record) error {
	switch {
	case r.Client != nil:
		i.clients[r.Client.ID] = struct{}{}
		return i.queries.AddClient(ctx, *r.Client)
	case r.User != nil:
		i.addUser(*r.User)
	case r.Session != nil:
		if _, there := i.clients[r.Session.ClientID]; !there {
			i.least = max(i.least, store.NextEpoch(r.Session.ClientEpoch))
		}
		if err := i.addSession(*r.Session); err != nil {
			return err
		}
	case r.RevokedToken != nil:
		i.addRevoked(*r.RevokedToken)
	case r.UsedAssertion != nil:
		i.calls = append(i.calls, i.queries.UseCall(r.UsedAssertion.ID, r.UsedAssertion.Until))
	case r.UsedCode != nil:
		i.calls = append(i.calls, i.queries.UseCodeCall(*r.UsedCode))
	case r.Loss != nil:
		i.calls = append(i.calls, script.RecordLoss.Call([]string{i.key.Of(layout.Loss)}, script.Millis(r.Loss.At)))
	case r.Event != nil:
		i.events = append(i.events, *r.Event)
	}
	if len(i.calls)+len(i.events) < conn.Page {
		return nil
	}
	return i.flush(ctx)
}

func (i *importing) addUser(u store.User) {
	key := i.key.User(u.ID)
	set := conn.Write("set", key, i.codec.EncodeUser(u), "nx")
	take := script.TakeName.Call(i.key.NameAndNames(u.Username), i.codec.EncodeName(u.Username, layout.NameOf(u)), u.Username, "",
		script.OneIf(true), script.NoEvent)
	i.calls = append(i.calls, set, take)
	for _, alias := range u.Aliases {
		record := i.codec.EncodeName(alias, layout.AliasOf(u))
		also := script.TakeName.Call(i.key.NameAndNames(alias), record, alias, "", script.OneIf(false), script.NoEvent)
		i.calls = append(i.calls, also)
		i.checks = append(i.checks, func() error {
			if _, taken := also.Text(); taken {
				return fmt.Errorf("user %s: an alias: %w", u.ID, store.ErrExists)
			}
			return nil
		})
	}
	i.checks = append(i.checks, func() error {
		if _, ok := set.Text(); !ok {
			return fmt.Errorf("user %s: %w", u.ID, store.ErrExists)
		}
		if _, taken := take.Text(); taken {
			return fmt.Errorf("user %s: the username: %w", u.ID, store.ErrExists)
		}
		return nil
	})
}

// addSession goes by the same script as a login, so that a session without a user is refused. Its
// user's record is in the same slot, so even in the same round trip it is there before. What that
// record has ended is left out: a login would make it young again.
func (i *importing) addSession(session store.Session) error {
	start, err := i.queries.StartCall(context.Background(), session, store.SessionLimits{Absolute: longest}, session.UserEpoch)
	if err != nil {
		return err
	}
	i.calls = append(i.calls, start.Call)
	i.checks = append(i.checks, func() error {
		if word, _ := start.Outcome(); word == "ended" {
			return nil
		}
		_, _, err := i.queries.Started(context.Background(), session, start)
		return err
	})
	return nil
}

// longest bounds the life of imported sessions: their own bound is in the server's configuration.
const longest = 400 * 24 * time.Hour

func (i *importing) addRevoked(r store.RevokedToken) {
	if left := time.Until(r.Until).Milliseconds(); left > 0 {
		i.calls = append(i.calls, script.RevokeToken.Call([]string{i.key.Revoked(r.JTI)}, left, script.NoEvent))
	}
}

func (i *importing) flush(ctx context.Context) error {
	if len(i.calls) > 0 {
		if err := i.conn.Do(ctx, "importing", i.calls...); err != nil {
			return err
		}
	}
	for _, check := range i.checks {
		if err := check(); err != nil {
			return err
		}
	}
	if err := i.trail.AppendEvents(ctx, i.events); err != nil {
		return err
	}
	i.calls, i.checks, i.events = nil, nil, nil
	return nil
}

// recordKinds are the keys that hold what a server does not put back by itself: everything but the
// install, its keyring, heartbeats, counts, revoked tokens, used assertions and codes, and the audit trail.
var recordKinds = []string{"clients", "u", "s", "n", "names"}

// Refill puts the records of a backup into a store that was wiped while servers were running on it:
// they have put its install and keyring back, which stay as they are. It answers store.ErrNotFound
// where no install is, and store.ErrExists where there are clients, users or sessions. One that broke
// off may be begun again.
func (t *Transfer) Refill(ctx context.Context, records iter.Seq2[store.Record, error]) error {
	if _, err := t.queries.Install(ctx); err != nil {
		return err
	}
	if err := t.makeRoomForRecords(ctx); err != nil {
		return err
	}
	if err := t.Fill(ctx, records); err != nil {
		return err
	}
	return t.conn.DoDurably(ctx, "ending the refill", conn.Write("del", t.key.Of(layout.Importing)))
}

// makeRoomForRecords refuses a store with records, unless they are what an import or refill has left.
func (t *Transfer) makeRoomForRecords(ctx context.Context) error {
	unfinished := conn.Command(t.key.Of(layout.Install), "exists", t.key.Of(layout.Importing))
	if err := t.conn.Do(ctx, "looking whether the store is empty", unfinished); err != nil {
		return err
	}
	for _, kind := range recordKinds {
		err := t.conn.EachKey(ctx, t.key.Pattern(kind), func(keys []string) error {
			if unfinished.Number() == 0 {
				return fmt.Errorf("the store holds clients, users or sessions, such as %q: %w", keys[0], store.ErrExists)
			}
			return t.unlink(ctx, keys)
		})
		if err != nil {
			return err
		}
	}
	return t.conn.DoDurably(ctx, "beginning the refill", conn.Write("set", t.key.Of(layout.Importing), rand.Text()))
}

func (t *Transfer) unlink(ctx context.Context, keys []string) error {
	calls := make([]*conn.Call, 0, len(keys))
	for _, key := range keys {
		calls = append(calls, conn.Write("unlink", key))
	}
	if len(calls) == 0 {
		return nil
	}
	return t.conn.Do(ctx, "deleting what an import has left", calls...)
}
