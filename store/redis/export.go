package redis

import (
	"context"
	"time"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
)

// Foundation implements store.Exporter.
func (s *Store) Foundation(ctx context.Context) (f store.Foundation, err error) {
	if f.Install, err = s.Install(ctx); err != nil {
		return f, err
	}
	f.KeyringVersion, f.Keyring, err = s.LoadKeyring(ctx)
	return f, err
}

// Export implements store.Exporter. It reads what is there as it comes to it, so the servers should
// be at rest: what changes meanwhile may be seen before or after.
func (s *Store) Export(ctx context.Context, visit func(store.Record) error) error {
	clients, err := s.allClients(ctx)
	if err != nil {
		return err
	}
	for _, c := range clients {
		if err := visit(store.Record{Client: &c}); err != nil {
			return err
		}
	}
	for part := range layout.NameParts {
		if err := s.exportPart(ctx, part, visit); err != nil {
			return err
		}
	}
	if err := s.exportRevoked(ctx, visit); err != nil {
		return err
	}
	if err := s.exportSpent(ctx, visit); err != nil {
		return err
	}
	if err := s.exportLoss(ctx, visit); err != nil {
		return err
	}
	return s.trail.Export(ctx, func(e store.Event) error { return visit(store.Record{Event: &e}) })
}

func (s *Store) exportPart(ctx context.Context, part int, visit func(store.Record) error) error {
	for after := ""; ; {
		names := s.namesAfter(part, after, conn.Page)
		if err := s.conn.Do(ctx, "listing usernames", names); err != nil {
			return err
		}
		page := names.List()
		users, err := s.usersByName(ctx, page)
		if err != nil {
			return err
		}
		if err := s.exportUsers(ctx, users, visit); err != nil {
			return err
		}
		if len(page) < conn.Page {
			return nil
		}
		after = page[len(page)-1]
	}
}

func (s *Store) exportUsers(ctx context.Context, users []store.User, visit func(store.Record) error) error {
	if len(users) == 0 {
		return nil
	}
	calls := make([]*conn.Call, len(users))
	for i, u := range users {
		key := s.key.Sessions(u.ID)
		calls[i] = conn.Command(key, "hgetall", key)
	}
	if err := s.conn.Do(ctx, "listing sessions", calls...); err != nil {
		return err
	}
	for i, u := range users {
		if err := visit(store.Record{User: &u}); err != nil {
			return err
		}
		sessions, err := s.decodeSessions(u.ID, calls[i].List())
		if err != nil {
			return err
		}
		for _, session := range sessions {
			if err := visit(store.Record{Session: &session}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (s *Store) exportRevoked(ctx context.Context, visit func(store.Record) error) error {
	return s.eachMark(ctx, "r", "reading revoked tokens", func(key string, until time.Time) error {
		return visit(store.Record{RevokedToken: &store.RevokedToken{JTI: s.key.JTI(key), Until: store.Millis(until)}})
	})
}

// exportSpent leaves out the margin that the importer will add.
func (s *Store) exportSpent(ctx context.Context, visit func(store.Record) error) error {
	return s.eachMark(ctx, "a", "reading used assertions", func(key string, until time.Time) error {
		id, err := s.key.AssertionID(key)
		if err != nil {
			return conn.Malformed("the key of an assertion", err)
		}
		return visit(store.Record{UsedAssertion: &store.UsedAssertion{ID: id, Until: store.Millis(until.Add(-store.AssertionMargin))}})
	})
}

// eachMark visits the keys of a kind that run out by themselves, each with the time at which it does.
func (s *Store) eachMark(ctx context.Context, kind, doing string, visit func(key string, until time.Time) error) error {
	return s.conn.EachKey(ctx, s.key.Pattern(kind), func(keys []string) error {
		calls := make([]*conn.Call, len(keys))
		for i, key := range keys {
			calls[i] = conn.Command(key, "pttl", key)
		}
		if err := s.conn.Do(ctx, doing, calls...); err != nil {
			return err
		}
		now := time.Now()
		for i, key := range keys {
			left := calls[i].Number()
			if left <= 0 {
				continue
			}
			if err := visit(key, now.Add(time.Duration(left)*time.Millisecond)); err != nil {
				return err
			}
		}
		return nil
	})
}
