package trail

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"signet/store"
	"signet/store/codec"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
	"signet/store/redis/script"
)

// A change and the audit trail are in different slots, so no script can write both. The script of the change keeps the
// event in the outbox of its own slot. AppendEvents writes the whole event to the trail and then deletes the entry. The
// replica that sweeps appends the entries that a dead replica has left. The trail remembers the names of its last 8,192
// events, so that none of them is appended twice.

// Call is a call of a script that begins with outbox.lua.
type Call struct {
	*conn.Call
	events  []*store.Event // that the script keeps in the outbox, its last key
	entries []string       // their names
}

// Call calls a script that begins with outbox.lua. It keeps the events of the context, if there are any.
func (t *Trail) Call(ctx context.Context, sc *conn.Script, keys []string, args ...any) Call {
	events := store.EventsOf(ctx)
	if len(events) == 0 {
		return Call{Call: sc.Call(keys, append(args, script.NoEvent)...)}
	}
	tag := layout.TagOf(keys[0])
	names, entries := encodeEntries(tag, events)
	c := sc.Call(append(keys, t.key.Outbox(tag)), append(args, entries)...)
	c.LastKeyOptional() // an outbox is empty most of the time
	return Call{c, events, names}
}

// noEvents is the last argument of a script that has an outbox for other entries than events.
const noEvents = "\n"

// CallEnding is Call for a script that ends sessions, and gets the clients that are informed of it. Pass the logouts of its answer to
// Queue.
func (t *Trail) CallEnding(ctx context.Context, sc *conn.Script, keys []string, args ...any) Call {
	informed := t.logouts.Informed()
	args = append(args, informed)
	if informed == "" || len(store.EventsOf(ctx)) > 0 {
		return t.Call(ctx, sc, keys, args...)
	}
	c := sc.Call(append(keys, t.key.Outbox(layout.TagOf(keys[0]))), append(args, noEvents)...)
	c.LastKeyOptional()
	return Call{Call: c}
}

// CallEither is Call for a script that ends in one of two ways, with events of its own for each: of the other way are those that
// other accepts. They are the last argument but two; the last but one are the clients that are informed, as in CallEnding. Both results are of the same call.
func (t *Trail) CallEither(ctx context.Context, other func(*store.Event) bool, sc *conn.Script, keys []string, args ...any) (one, another Call) {
	var ones, others []*store.Event
	for _, e := range store.EventsOf(ctx) {
		if other(e) {
			others = append(others, e)
		} else {
			ones = append(ones, e)
		}
	}
	informed := t.logouts.Informed()
	if len(ones)+len(others) == 0 && informed == "" {
		c := sc.Call(keys, append(args, script.NoEvent, informed, script.NoEvent)...)
		return Call{Call: c}, Call{Call: c}
	}
	tag := layout.TagOf(keys[0])
	names, entries := encodeEntries(tag, ones)
	otherNames, otherEntries := encodeEntries(tag, others)
	c := sc.Call(append(keys, t.key.Outbox(tag)), append(args, otherEntries, informed, entries+noEvents)...)
	c.LastKeyOptional()
	return Call{c, ones, names}, Call{c, others, otherNames}
}

// encodeEntries returns the names of the entries, and all of them for outbox.lua.
func encodeEntries(tag string, events []*store.Event) (names []string, entries string) {
	names, lines := make([]string, len(events)), make([]string, len(events))
	for i, e := range events {
		field, entry := encodeEntry(*e)
		names[i], lines[i] = tag+"/"+field, entry
	}
	return names, strings.Join(lines, "\n")
}

// encodeEntry gives an event a field, and encodes both for outbox.lua: JSON has no line breaks.
func encodeEntry(e store.Event) (field, entry string) {
	e.At = store.Millis(e.At)
	raw, _ := json.Marshal(e) // nothing in it can fail
	field = rand.Text()
	return field, field + " " + string(raw)
}

// Kept names the entries in the events where the call has made the change.
func (c Call) Kept(changed bool) {
	if !changed || c.LastKeyDropped() {
		return
	}
	for i, e := range c.events {
		e.Outbox = c.entries[i]
	}
}

// Queue puts the logouts that a script has answered about sessions of a user in the queue. What fails stays in the outbox until a sweep
// finds it, where the script had one. The error is that of an answer that no script gives.
func (t *Trail) Queue(ctx context.Context, user store.UserID, answered []string) error {
	var logouts []store.Logout
	for _, text := range answered {
		id := store.SessionID{}
		if len(text) <= len(id) {
			return conn.Malformed("the logouts of "+user.String(), conn.ErrReply)
		}
		copy(id[:], text)
		logouts = append(logouts, store.Logout{UserID: user, SessionID: id, ClientID: text[len(id):]})
	}
	if err := t.queueLogouts(context.WithoutCancel(ctx), logouts); err != nil { // the sessions have ended, whether the caller waits or not
		t.log.Warn("logouts are not in the queue yet", slog.Int("logouts", len(logouts)), slog.Any("error", err))
	}
	return nil
}

// queueLogouts puts logouts in the queue, and takes them out of the outboxes of their users.
func (t *Trail) queueLogouts(ctx context.Context, logouts []store.Logout) error {
	if len(logouts) == 0 {
		return nil
	}
	if err := t.logouts.Add(ctx, logouts); err != nil {
		return err
	}
	fields := map[string][]any{}
	for _, l := range logouts {
		key := t.key.Outbox(layout.UserTag(l.UserID))
		fields[key] = append(fields[key], logoutField(l.SessionID))
	}
	return t.takeOut(ctx, fields)
}

// takeOut deletes entries of outboxes, by their keys.
func (t *Trail) takeOut(ctx context.Context, fields map[string][]any) error {
	var calls []*conn.Call
	for key, fields := range fields {
		calls = append(calls, conn.Write("hdel", key, fields...))
	}
	return t.conn.Do(ctx, "emptying the outbox", calls...)
}

// logoutField names the entry of a logout in an outbox.
func logoutField(id store.SessionID) string { return "l" + string(id[:]) }

// keptLogout reads the entry of a logout.
func keptLogout(key, field, entry string) (l store.Logout, err error) {
	if len(field) != 1+len(l.SessionID) {
		return l, codec.ErrMalformed
	}
	r := codec.NewReader([]byte(entry[1:]))
	l = store.Logout{SessionID: store.SessionID([]byte(field[1:])), EndedAt: r.Time(), ClientID: string(r.Rest())}
	if r.Err() != nil || l.ClientID == "" {
		return l, codec.ErrMalformed
	}
	l.UserID, err = layout.UserOfTag(layout.TagOf(key))
	return l, err
}

// RotationEntry is what rotate.lua needs of the event of a rotation; the rest is in its other arguments.
func RotationEntry(r store.Rotation) string {
	address := ""
	if r.Address.IsValid() {
		address = r.Address.String()
	}
	return address + " " + r.RequestID
}

// keptEvent reads an entry, and names it in the event.
func (t *Trail) keptEvent(key, field, entry string) (e store.Event, err error) {
	r := codec.NewReader([]byte(entry))
	kind, at := r.Byte(), r.Time()
	tag := layout.TagOf(key)
	switch kind {
	case 'e':
		if err := r.Err(); err != nil {
			return e, err
		}
		err = json.Unmarshal(r.Rest(), &e)
		e.Outbox = tag + "/" + field
		return e, err
	case 'r':
		text := func() string { return string(r.Take(int(r.Uint16()))) }
		outcome, rotation := script.RotateOutcomes[text()], store.Rotation{Now: at, ClientID: text()}
		id, origin := text(), text()
		if err := r.End(); err != nil {
			return e, err
		}
		if rotation.UserID, err = layout.UserOfTag(tag); err != nil {
			return e, err
		}
		copy(rotation.SessionID[:], id)
		address := ""
		address, rotation.RequestID, _ = strings.Cut(origin, " ")
		e = store.RotationEvent(rotation, outcome)
		e.Address, e.Outbox = address, rotation.Outbox()
		return e, nil
	}
	return e, codec.ErrMalformed
}

// entryOf returns the key and field of an entry by its name.
func (t *Trail) entryOf(name string) (key, field string) {
	at := strings.LastIndexByte(name, '/')
	if at < 0 {
		return t.key.Outbox("a"), name
	}
	tag := name[:at]
	if id, err := store.ParseUserID(tag); err == nil { // of a rotation
		tag = layout.UserTag(id)
	}
	return t.key.Outbox(tag), name[at+1:]
}

// KeepEvent implements store.Audit.
func (t *Trail) KeepEvent(ctx context.Context, e *store.Event) error {
	if e.Outbox != "" {
		return t.conn.Ready(ctx)
	}
	field, entry := encodeEntry(*e)
	const tag = "a"
	if err := t.conn.DoDurably(ctx, "keeping an audit event", script.KeepEvent.Call([]string{t.key.Outbox(tag)}, entry)); err != nil {
		return err
	}
	e.Outbox = tag + "/" + field
	return nil
}

// DropEvents implements store.Audit.
func (t *Trail) DropEvents(ctx context.Context, outbox []string) error {
	fields := map[string][]any{}
	for _, name := range outbox {
		if name != "" {
			key, field := t.entryOf(name)
			fields[key] = append(fields[key], field)
		}
	}
	if len(fields) == 0 {
		return t.conn.Ready(ctx)
	}
	return t.takeOut(ctx, fields)
}

// Bounds of the walk through the outboxes of one server in one Sweep. It is apart from the walk through the sessions, which
// does more at each key.
const (
	outboxScans = 200
	outboxCount = 1000
)

// SweepOutboxes appends the events and queues the logouts that have been in the outboxes of a server for too long.
func (t *Trail) SweepOutboxes(ctx context.Context, node *redis.Client, now time.Time) error {
	addr := node.Options().Addr
	t.mu.Lock()
	cursor := t.cursors[addr]
	t.mu.Unlock()
	for range outboxScans {
		var keys []string
		var err error
		if keys, cursor, err = node.Scan(ctx, cursor, t.key.Pattern("o"), outboxCount).Result(); err != nil {
			return err
		}
		events, logouts, err := t.kept(ctx, keys, now, store.OutboxAfter)
		if err == nil && len(events) > 0 {
			err = t.AppendEvents(ctx, events)
		}
		if err == nil {
			err = t.queueLogouts(ctx, logouts)
		}
		if err != nil {
			return err
		}
		if cursor == 0 {
			break
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.cursors[addr] = cursor
	return nil
}

// kept returns the events and logouts that have been in these outboxes for so long. An entry that cannot be read stays.
func (t *Trail) kept(ctx context.Context, keys []string, now time.Time, age time.Duration) (events []store.Event, logouts []store.Logout, err error) {
	if len(keys) == 0 {
		return nil, nil, nil
	}
	calls := make([]*conn.Call, len(keys))
	for i, key := range keys {
		calls[i] = script.KeptEvents.Call([]string{key}, t.clock.Argument(now), age.Milliseconds())
	}
	if err := t.conn.Do(ctx, "reading the outbox", calls...); err != nil {
		return nil, nil, err
	}
	for i, key := range keys {
		entries := calls[i].List()
		for at := 0; at+1 < len(entries); at += 2 {
			var e store.Event
			var l store.Logout
			isLogout := strings.HasPrefix(entries[at+1], "l")
			if isLogout {
				l, err = keptLogout(key, entries[at], entries[at+1])
			} else {
				e, err = t.keptEvent(key, entries[at], entries[at+1])
			}
			switch {
			case err != nil:
				t.log.Warn("an audit event or a logout cannot be read", slog.Any("error", conn.Malformed("an entry of "+key, err)))
			case isLogout:
				logouts = append(logouts, l)
			default:
				events = append(events, e)
			}
		}
	}
	return events, logouts, nil
}

// notAppended returns the events that are not on the trail yet. An entry may be there still when its event is.
func (t *Trail) notAppended(ctx context.Context, events []store.Event) ([]store.Event, error) {
	if len(events) == 0 {
		return nil, nil
	}
	var names []any
	for _, e := range events {
		names = append(names, e.Outbox)
	}
	var calls []*conn.Call
	for _, key := range t.key.Appended() {
		calls = append(calls, conn.Command(key, append([]any{"hmget", key}, names...)...))
	}
	if err := t.conn.Do(ctx, "reading the audit trail", calls...); err != nil {
		return nil, err
	}
	for _, c := range calls {
		if len(c.List()) != len(events) {
			return nil, conn.Malformed("the audit trail", conn.ErrReply)
		}
	}
	var list []store.Event
	for i, e := range events {
		if !slices.ContainsFunc(calls, func(c *conn.Call) bool { return c.List()[i] != "" }) {
			list = append(list, e)
		}
	}
	return list, nil
}
