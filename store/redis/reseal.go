package redis

import (
	"context"
	"crypto/rand"
	"fmt"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
	"signet/store/redis/replica"
	"signet/store/redis/script"
)

var _ store.Sealer = (*Store)(nil)

// RaiseFormat implements store.Sealer.
func (s *installs) RaiseFormat(ctx context.Context, format int) error {
	return s.rewriteInstall(ctx, func(in *store.Install) { in.Schema = max(in.Schema, format) })
}

// rewriteInstall changes the install record in one step and tells the other replicas to look.
func (s *installs) rewriteInstall(ctx context.Context, change func(*store.Install)) error {
	for {
		if _, err := s.Install(ctx); err != nil {
			return err
		}
		was := s.install.Load()
		next := was.Install
		change(&next)
		raw, err := s.records.EncodeInstall(next)
		if err != nil {
			return err
		}
		if raw == was.raw {
			return nil
		}
		swap := script.Rewrite.Call([]string{s.key.Of(layout.Install)}, was.raw, raw)
		if err := s.channel.DoAndNotify(ctx, "changing the install", replica.KeyringChanged(), swap); err != nil {
			return err
		}
		if swap.Number() == 1 {
			return s.know(raw)
		}
	}
}

// SealRecords implements store.Sealer: clients, users and their names. A record that changes meanwhile is
// left to whoever changed it, who has sealed it.
func (s *Store) SealRecords(ctx context.Context, progress func(store.Sealing)) (store.Sealing, error) {
	r := &resealing{Store: s, progress: progress}
	if err := s.rewriteInstall(ctx, func(*store.Install) {}); err != nil {
		return r.done, err
	}
	if err := r.clients(ctx); err != nil {
		return r.done, err
	}
	for part := range layout.NameParts {
		if err := r.part(ctx, part); err != nil {
			return r.done, err
		}
	}
	return r.done, nil
}

// resealing is one walk of SealRecords.
type resealing struct {
	*Store
	done     store.Sealing
	progress func(store.Sealing)
}

// current reports whether a record is as it must be, and counts it.
func (r *resealing) current(raw string) bool {
	r.done.Looked++
	return r.cfg.Seals.Current([]byte(raw))
}

func (r *resealing) clients(ctx context.Context) error {
	key := r.key.Of(layout.Clients)
	all := conn.Command(key, "hgetall", key)
	if err := r.conn.Do(ctx, "listing clients", all); err != nil {
		return err
	}
	fields := all.List()
	for i := 0; i+1 < len(fields); i += 2 {
		id, raw := fields[i], fields[i+1]
		if r.current(raw) {
			continue
		}
		c, err := r.decodeClient(id, raw)
		if err != nil {
			return err
		}
		after, err := r.records.EncodeClient(c)
		if err != nil {
			return err
		}
		update := script.UpdateClient.Call(r.key.All(layout.Clients, layout.ClientsVersion), id, raw, after, rand.Text(), script.NoEvent)
		if err := r.channel.DoAndNotify(ctx, "sealing a client", replica.ClientChanged(id), update); err != nil {
			return err
		}
		if outcome, _ := update.Text(); outcome == "ok" {
			r.done.Sealed++
		}
	}
	r.progress(r.done)
	return nil
}

// part seals the names of one part and the users that they lead to.
func (r *resealing) part(ctx context.Context, part int) error {
	for after := ""; ; {
		names := r.namesAfter(part, after, conn.Page)
		if err := r.conn.Do(ctx, "listing usernames", names); err != nil {
			return err
		}
		page := names.List()
		if err := r.names(ctx, page); err != nil {
			return err
		}
		if len(page) < conn.Page {
			return nil
		}
		after = page[len(page)-1]
	}
}

func (r *resealing) names(ctx context.Context, names []string) error {
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = r.key.Username(name)
	}
	var ids []store.UserID
	var users []string
	var calls []*conn.Call
	err := r.conn.EachString(ctx, "looking up usernames", keys, func(i int, raw string) error {
		n, err := r.records.DecodeName(names[i], raw)
		if err != nil {
			return conn.Malformed(fmt.Sprintf("username %q", names[i]), err)
		}
		ids, users = append(ids, n.UserID), append(users, r.key.User(n.UserID))
		if !r.current(raw) {
			calls = append(calls, script.Rewrite.Call([]string{keys[i]}, raw, r.records.EncodeName(names[i], n)))
		}
		return nil
	})
	if err != nil {
		return err
	}
	err = r.conn.EachString(ctx, "reading users", users, func(i int, raw string) error {
		u, err := r.records.DecodeUser(ids[i], raw)
		if err != nil {
			return conn.Malformed("user "+ids[i].String(), err)
		}
		if !r.current(raw) {
			calls = append(calls, script.Rewrite.Call([]string{users[i]}, raw, r.records.EncodeUser(u)))
		}
		return nil
	})
	if err != nil || len(calls) == 0 {
		return err
	}
	if err := r.conn.DoDurably(ctx, "sealing users", calls...); err != nil {
		return err
	}
	for _, c := range calls {
		r.done.Sealed += int(c.Number())
	}
	r.progress(r.done)
	return nil
}
