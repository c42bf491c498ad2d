package transfer

import (
	"context"
	"math"
	"strconv"
	"time"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
)

// Manifest implements store.Exporter.
func (t *Transfer) Manifest(ctx context.Context) (f store.Manifest, err error) {
	if f.Install, err = t.queries.Install(ctx); err != nil {
		return f, err
	}
	f.KeyringVersion, f.Keyring, err = t.queries.LoadKeyring(ctx)
	return f, err
}

// Export implements store.Exporter. It reads what is there as it comes to it, so the servers should
// be at rest: what changes meanwhile may be seen before or after.
func (t *Transfer) Export(ctx context.Context, visit func(store.Record) error) error {
	clients, err := t.queries.ListClients(ctx, "", math.MaxInt)
	if err != nil {
		return err
	}
	for _, c := range clients {
		if err := visit(store.Record{Client: &c}); err != nil {
			return err
		}
	}
	if err := t.queries.EachPage(ctx, func(names []string) error { return t.exportUsers(ctx, names, visit) }); err != nil {
		return err
	}
	if err := t.exportTokens(ctx, visit); err != nil {
		return err
	}
	if err := t.exportAssertions(ctx, visit); err != nil {
		return err
	}
	if err := t.exportCodes(ctx, visit); err != nil {
		return err
	}
	if err := t.exportLoss(ctx, visit); err != nil {
		return err
	}
	return t.trail.ExportEvents(ctx, func(e store.Event) error { return visit(store.Record{Event: &e}) })
}

func (t *Transfer) exportUsers(ctx context.Context, names []string, visit func(store.Record) error) error {
	users, err := t.queries.UsersByName(ctx, names)
	if err != nil {
		return err
	}
	sessions, err := t.queries.SessionsOf(ctx, users)
	if err != nil {
		return err
	}
	for i, u := range users {
		if err := visit(store.Record{User: &u}); err != nil {
			return err
		}
		for _, session := range sessions[i] {
			if err := visit(store.Record{Session: &session}); err != nil {
				return err
			}
		}
	}
	return nil
}

func (t *Transfer) exportTokens(ctx context.Context, visit func(store.Record) error) error {
	return t.eachMark(ctx, "r", "reading revoked tokens", func(key string, until time.Time) error {
		return visit(store.Record{RevokedToken: &store.RevokedToken{JTI: t.key.JTI(key), Until: store.Millis(until)}})
	})
}

// exportAssertions leaves out the margin that the importer will add.
func (t *Transfer) exportAssertions(ctx context.Context, visit func(store.Record) error) error {
	return t.eachMark(ctx, "a", "reading used assertions", func(key string, until time.Time) error {
		id, err := t.key.AssertionID(key)
		if err != nil {
			return conn.Malformed("the key of an assertion", err)
		}
		return visit(store.Record{UsedAssertion: &store.UsedAssertion{ID: id, Until: store.Millis(until.Add(-store.AssertionMargin))}})
	})
}

// exportCodes likewise.
func (t *Transfer) exportCodes(ctx context.Context, visit func(store.Record) error) error {
	return t.eachMark(ctx, "c", "reading redeemed codes", func(key string, until time.Time) error {
		c, err := t.key.CodeOf(key)
		if err != nil {
			return conn.Malformed("the key of a redeemed code", err)
		}
		c.Until = store.Millis(until.Add(-store.AssertionMargin))
		return visit(store.Record{UsedCode: &c})
	})
}

// eachMark visits the keys of a kind that run out by themselves, each with the time at which it does.
func (t *Transfer) eachMark(ctx context.Context, kind, doing string, visit func(key string, until time.Time) error) error {
	return t.conn.EachKey(ctx, t.key.Pattern(kind), func(keys []string) error {
		calls := make([]*conn.Call, len(keys))
		for i, key := range keys {
			calls[i] = conn.Command(key, "pttl", key)
		}
		if err := t.conn.Do(ctx, doing, calls...); err != nil {
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

func (t *Transfer) exportLoss(ctx context.Context, visit func(store.Record) error) error {
	key := t.key.Of(layout.Loss)
	get := conn.Command(key, "get", key)
	if err := t.conn.Do(ctx, "reading the last loss", get); err != nil {
		return err
	}
	text, found := get.Text()
	if !found {
		return nil
	}
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return conn.Malformed("the last loss", err)
	}
	return visit(store.Record{Loss: &store.Loss{At: time.UnixMilli(ms).UTC()}})
}
