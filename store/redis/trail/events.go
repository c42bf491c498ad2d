// Package trail has the audit trail in Redis: streams of events, and outboxes with the events of changes that are not in their
// stream yet.
package trail

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strconv"
	"strings"
	"sync"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
	"signet/store/redis/logout"
	"signet/store/redis/script"
)

// The audit trail is a stream for each class of events, whose ids are the events' numbers: one counter
// numbers all of them. Earlier versions had one stream for all; it is read as long as it is there.

const (
	someEvents = 100
	maxEvents  = 1000
	eventPage  = 200 // of each stream
)

// classNumber is the place of a class among the arguments of scripts, from 1.
func classNumber(class store.EventClass) int { return 1 + slices.Index(store.EventClasses, class) }

// Trail is a store.Audit. All methods may be called concurrently.
type Trail struct {
	conn      *conn.Conn
	key       layout.Keyspace
	retention store.Retention
	clock     script.Clock
	logouts   *logout.Queue
	log       *slog.Logger

	mu      sync.Mutex
	cursors map[string]uint64 // where SweepOutboxes goes on, by server
}

// New returns the trail of a store.
func New(cn *conn.Conn, key layout.Keyspace, retention store.Retention, clock script.Clock, logouts *logout.Queue, log *slog.Logger) *Trail {
	return &Trail{conn: cn, key: key, retention: retention, clock: clock, logouts: logouts, log: log, cursors: map[string]uint64{}}
}

// AppendEvents implements store.Audit.
func (t *Trail) AppendEvents(ctx context.Context, events []store.Event) error {
	if len(events) == 0 {
		return t.conn.Ready(ctx)
	}
	args := make([]any, 0, 1+len(store.EventClasses)+3*len(events))
	var outbox []string
	args = append(args, t.retention.Total())
	for _, class := range store.EventClasses {
		args = append(args, t.retention[class])
	}
	for _, e := range events {
		e.Seq, e.At = 0, store.Millis(e.At)
		raw, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("encoding an audit event: %w", err)
		}
		args = append(args, classNumber(store.ClassOf(e)), e.Outbox, raw)
		outbox = append(outbox, e.Outbox)
	}
	if err := t.conn.Do(ctx, "writing the audit trail", script.AppendEvents.Call(t.key.Trail(), args...)); err != nil {
		return err
	}
	return t.DropEvents(ctx, outbox)
}

// Events implements store.Audit. It reads the streams page by page until enough events fit.
func (t *Trail) Events(ctx context.Context, q store.EventQuery) ([]store.Event, error) {
	limit := someEvents
	if q.Limit > 0 {
		limit = min(q.Limit, maxEvents)
	}
	filter := q.Filter()
	var found []store.Event
	for from, more := q.After, true; more && len(found) < limit; {
		page, err := t.eventPage(ctx, q, from)
		if err != nil {
			return nil, err
		}
		more = page.more
		for _, entry := range page.entries {
			from = entry.seq
			if len(found) == limit {
				break
			}
			if !filter.MaySelect([]byte(entry.raw)) {
				continue
			}
			e, err := entry.event()
			if err != nil {
				return nil, conn.Malformed("an audit event", err)
			}
			if q.Selects(e) {
				found = append(found, e)
			}
		}
	}
	if q.Newest {
		slices.Reverse(found)
	}
	return found, nil
}

// eventEntries are entries of all streams, in the order in which they are read.
type eventEntries struct {
	entries []eventEntry
	more    bool // there are more behind them
}

type eventEntry struct {
	seq uint64
	raw string
}

func (e eventEntry) event() (event store.Event, err error) {
	err = json.Unmarshal([]byte(e.raw), &event)
	event.Seq = e.seq
	return event, err
}

// eventPage reads forward from behind a number, or, for the newest, backward from before it; 0 is the end.
func (t *Trail) eventPage(ctx context.Context, q store.EventQuery, from uint64) (page eventEntries, err error) {
	args := []any{">", fmt.Sprintf("(%d-0", from), "+", eventPage}
	if q.Newest {
		before := "+"
		if from > q.After {
			before = fmt.Sprintf("(%d-0", from)
		}
		args = []any{"<", before, fmt.Sprintf("(%d-0", q.After), eventPage}
	}
	read := script.ReadEvents.Call(t.key.Streams(), args...)
	if err := t.conn.Do(ctx, "reading the audit trail", read); err != nil {
		return page, err
	}
	streams := read.Lists()
	if len(streams) != len(t.key.Streams()) {
		return page, conn.Malformed("the audit trail", conn.ErrReply)
	}
	if page, err = mergeStreams(streams, q.Newest); err != nil {
		return page, conn.Malformed("an audit event", err)
	}
	return page, nil
}

// mergeStreams puts what was read of the streams in one order. Of a stream that has more, nothing is known
// beyond its last entry, so what lies beyond that is left for the next page.
func mergeStreams(streams []any, newest bool) (page eventEntries, err error) {
	order := func(a, b uint64) int { // in which they are read
		if newest {
			return cmp.Compare(b, a)
		}
		return cmp.Compare(a, b)
	}
	var end uint64
	for _, stream := range streams {
		list, isList := stream.([]any)
		if !isList {
			return page, conn.ErrReply
		}
		for _, entry := range list {
			e, err := parseEntry(entry)
			if err != nil {
				return page, err
			}
			page.entries = append(page.entries, e)
		}
		if len(list) < eventPage {
			continue
		}
		last := page.entries[len(page.entries)-1].seq
		if !page.more || order(last, end) < 0 {
			end = last
		}
		page.more = true
	}
	slices.SortFunc(page.entries, func(a, b eventEntry) int { return order(a.seq, b.seq) })
	if page.more {
		page.entries = slices.DeleteFunc(page.entries, func(e eventEntry) bool { return order(e.seq, end) > 0 })
	}
	return page, nil
}

// parseEntry reads an entry of a stream: its id, and the field "e" with the event.
func parseEntry(entry any) (e eventEntry, err error) {
	parts, _ := entry.([]any)
	if len(parts) != 2 {
		return e, fmt.Errorf("an entry of %d parts", len(parts))
	}
	id, _ := parts[0].(string)
	fields, _ := parts[1].([]any)
	if len(fields) != 2 {
		return e, fmt.Errorf("entry %q has %d fields", id, len(fields))
	}
	e.raw, _ = fields[1].(string)
	number, _, _ := strings.Cut(id, "-")
	e.seq, err = strconv.ParseUint(number, 10, 64)
	return e, err
}
