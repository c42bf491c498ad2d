package transfer

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

// SealRecords implements store.Sealer: clients, users and their names. A record that changes meanwhile is
// left alone: the change has sealed it.
func (t *Transfer) SealRecords(ctx context.Context, progress func(store.Sealing)) (store.Sealing, error) {
	r := &resealing{Transfer: t, progress: progress}
	if err := t.queries.RewriteInstall(ctx, func(*store.Install) {}); err != nil {
		return r.done, err
	}
	if err := r.clients(ctx); err != nil {
		return r.done, err
	}
	err := t.queries.EachPage(ctx, func(names []string) error { return r.users(ctx, names) })
	return r.done, err
}

// resealing is one walk of SealRecords.
type resealing struct {
	*Transfer
	done     store.Sealing
	progress func(store.Sealing)
}

// current reports whether a record is as it must be, and counts it.
func (r *resealing) current(raw string) bool {
	r.done.Looked++
	return r.codec.Seals.Current([]byte(raw))
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
		c, err := r.codec.DecodeClient(id, raw)
		if err != nil {
			return conn.Malformed(fmt.Sprintf("client %q", id), err)
		}
		after, err := r.codec.EncodeClient(c)
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

// users seals the records of some names and of the users that they lead to.
func (r *resealing) users(ctx context.Context, names []string) error {
	var calls []*conn.Call
	var aliases []string
	err := r.queries.EachNamed(ctx, names, func(key, raw, username string, n layout.Name) {
		if !r.current(raw) {
			calls = append(calls, script.Rewrite.Call([]string{key}, raw, r.codec.EncodeName(username, n)))
		}
	}, func(key, raw string, u store.User) {
		aliases = append(aliases, u.Aliases...)
		if !r.current(raw) {
			calls = append(calls, script.Rewrite.Call([]string{key}, raw, r.codec.EncodeUser(u)))
		}
	})
	if err != nil {
		return err
	}
	if err := r.aliases(ctx, aliases, &calls); err != nil || len(calls) == 0 {
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

// aliases adds the calls that seal the records of aliases: no list has them but the records of users.
func (r *resealing) aliases(ctx context.Context, names []string, calls *[]*conn.Call) error {
	keys := make([]string, len(names))
	for i, name := range names {
		keys[i] = r.key.Username(name)
	}
	return r.conn.EachString(ctx, "looking up aliases", keys, func(i int, raw string) error {
		if r.current(raw) {
			return nil
		}
		n, err := r.codec.DecodeName(names[i], raw)
		if err != nil {
			return conn.Malformed(fmt.Sprintf("alias %q", names[i]), err)
		}
		*calls = append(*calls, script.Rewrite.Call([]string{keys[i]}, raw, r.codec.EncodeName(names[i], n)))
		return nil
	})
}
