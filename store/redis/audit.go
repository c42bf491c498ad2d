package redis

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"signet/store"
)

// The audit trail is a stream whose ids are the events' numbers.

const (
	someEvents = 100
	maxEvents  = 1000
	eventPage  = 500
)

// AppendEvents implements store.Audit.
func (s *Store) AppendEvents(ctx context.Context, events []store.Event) error {
	if len(events) == 0 {
		return s.ready(ctx)
	}
	args := make([]any, 0, 1+len(events))
	args = append(args, s.cfg.AuditEvents)
	for _, e := range events {
		e.Seq, e.At = 0, store.Millis(e.At)
		raw, err := json.Marshal(e)
		if err != nil {
			return fmt.Errorf("packing an audit event: %w", err)
		}
		args = append(args, raw)
	}
	return s.do(ctx, "writing the audit trail", appendEventsScript.call(s.key.audit(), args...))
}

// Events implements store.Audit. It reads the stream page by page until enough events fit.
func (s *Store) Events(ctx context.Context, q store.EventQuery) ([]store.Event, error) {
	limit := someEvents
	if q.Limit > 0 {
		limit = min(q.Limit, maxEvents)
	}
	var found []store.Event
	for from := q.After; len(found) < limit; {
		page, err := s.eventPage(ctx, q, from)
		if err != nil {
			return nil, err
		}
		for _, e := range page {
			if from = e.Seq; len(found) < limit && q.Selects(e) {
				found = append(found, e)
			}
		}
		if len(page) < eventPage {
			break
		}
	}
	if q.Newest {
		slices.Reverse(found)
	}
	return found, nil
}

// eventPage reads forward from behind a number, or, for the newest, backward from before it; 0 is the end.
func (s *Store) eventPage(ctx context.Context, q store.EventQuery, from uint64) ([]store.Event, error) {
	key := s.key.audit()[0]
	args := []any{"xrange", key, fmt.Sprintf("(%d-0", from), "+", "count", eventPage}
	if q.Newest {
		before := "+"
		if from > q.After {
			before = fmt.Sprintf("(%d-0", from)
		}
		args = []any{"xrevrange", key, before, fmt.Sprintf("(%d-0", q.After), "count", eventPage}
	}
	read := command(key, args...)
	if err := s.do(ctx, "reading the audit trail", read); err != nil {
		return nil, err
	}
	entries, _ := read.cmd.Slice()
	events := make([]store.Event, 0, len(entries))
	for _, entry := range entries {
		e, err := parseEntry(entry)
		if err != nil {
			return nil, s.malformed("an audit event", err)
		}
		events = append(events, e)
	}
	return events, nil
}

// parseEntry reads an entry of the stream: its id, and the field "e" with the event.
func parseEntry(entry any) (e store.Event, err error) {
	parts, _ := entry.([]any)
	if len(parts) != 2 {
		return e, fmt.Errorf("an entry of %d parts", len(parts))
	}
	id, _ := parts[0].(string)
	fields, _ := parts[1].([]any)
	if len(fields) != 2 {
		return e, fmt.Errorf("entry %q has %d fields", id, len(fields))
	}
	raw, _ := fields[1].(string)
	if err := json.Unmarshal([]byte(raw), &e); err != nil {
		return e, err
	}
	number, _, _ := strings.Cut(id, "-")
	e.Seq, err = strconv.ParseUint(number, 10, 64)
	return e, err
}
