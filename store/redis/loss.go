package redis

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"strconv"
	"time"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
	"signet/store/redis/script"
)

// Loss implements store.Losses. Redis acknowledges before a write is safe, so every master that was
// restarted or has taken over may lack some. The run ids of the masters are kept in the store: a
// replica of Signet that was not there at the change notices it as well.
func (s *Store) Loss(ctx context.Context) (store.Loss, error) {
	masters, changed, err := s.compareMasters(ctx)
	if err != nil {
		return store.Loss{}, conn.Unavailable("looking at the masters", err)
	}
	if changed { // what is done again then takes longer than a request waits
		s.watch.incomplete.Store(true)
		s.watch.checkSoon()
	}
	return s.noteMasters(ctx, masters)
}

// noteMasters writes down which masters there are, and returns the last loss.
func (s *Store) noteMasters(ctx context.Context, masters map[string]conn.Server) (store.Loss, error) {
	ids := slices.Sorted(maps.Keys(masters))
	args := make([]any, len(ids))
	for i, id := range ids {
		args[i] = id
	}
	note := script.NoteMasters.Call(s.key.All(layout.Install, layout.Masters, layout.Loss), args...)
	if err := s.conn.Do(ctx, "noting the masters", note); err != nil {
		s.watch.unnoted.Store(true)
		return store.Loss{}, err
	}
	s.watch.unnoted.Store(false)
	if ms := note.Number(); ms > 0 {
		return store.Loss{At: time.UnixMilli(ms).UTC()}, nil
	}
	return store.Loss{}, nil
}

// compareMasters asks every master who it is, and reports whether one is new since it was asked last.
func (s *Store) compareMasters(ctx context.Context) (masters map[string]conn.Server, changed bool, err error) {
	masters, err = s.conn.Masters(ctx)
	s.watch.mu.Lock()
	s.watch.failed = err
	before := s.watch.masters
	if err == nil {
		s.watch.masters = masters
	}
	s.watch.mu.Unlock()
	if err != nil {
		return nil, false, err
	}
	for id, m := range masters {
		if _, known := before[id]; !known && before != nil {
			changed = true
			s.watch.changes.Add(1)
			s.log.Warn("a Redis master has changed or was restarted", slog.String("address", m.Addr), slog.String("run_id", id))
		}
	}
	if before == nil {
		s.watch.unnoted.Store(true)
	}
	return masters, changed, nil
}

func (s *Store) exportLoss(ctx context.Context, visit func(store.Record) error) error {
	key := s.key.Of(layout.Loss)
	get := conn.Command(key, "get", key)
	if err := s.conn.Do(ctx, "reading the last loss", get); err != nil {
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
