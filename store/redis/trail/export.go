package trail

import (
	"context"
	"math"
	"time"

	"signet/store"
	"signet/store/redis/conn"
)

// ExportEvents visits all events, oldest first: those of the trail, and behind them those that have not reached it.
func (t *Trail) ExportEvents(ctx context.Context, visit func(store.Event) error) error {
	after, err := t.exportTrail(ctx, visit)
	if err != nil {
		return err
	}
	return t.exportOutbox(ctx, after, visit)
}

func (t *Trail) exportTrail(ctx context.Context, visit func(store.Event) error) (after uint64, err error) {
	for {
		page, err := t.eventPage(ctx, store.EventQuery{}, after)
		if err != nil {
			return after, err
		}
		for _, entry := range page.entries {
			e, err := entry.event()
			if err != nil {
				return after, conn.Malformed("an audit event", err)
			}
			if err := visit(e); err != nil {
				return after, err
			}
			after = e.Seq
		}
		if !page.more {
			return after, nil
		}
	}
}

// exportOutbox visits the events that have not reached the trail, with the numbers after the last one.
func (t *Trail) exportOutbox(ctx context.Context, after uint64, visit func(store.Event) error) error {
	return t.conn.EachKey(ctx, t.key.Pattern("o"), func(keys []string) error {
		events, _, err := t.kept(ctx, keys, time.Now(), math.MinInt64)
		if err == nil {
			events, err = t.notAppended(ctx, events)
		}
		if err != nil {
			return err
		}
		for _, e := range events {
			after++
			e.Seq, e.Outbox = after, ""
			if err := visit(e); err != nil {
				return err
			}
		}
		return nil
	})
}
