package redis

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
	"signet/store/seal"
)

// beat is a heartbeat as it lies in Redis: one field of a hash that goes when nobody beats any more.
type beat struct {
	store.Heartbeat
	Until time.Time `json:"until"`
}

// heartbeats has the heartbeats of the replicas.
type heartbeats struct{ *common }

const beatsKeptFor = time.Hour

// Beat implements store.Heartbeats.
func (s *heartbeats) Beat(ctx context.Context, hb store.Heartbeat, ttl time.Duration) error {
	hb.At = store.Millis(hb.At)
	raw, err := json.Marshal(beat{hb, hb.At.Add(ttl)})
	if err != nil {
		return err
	}
	key := s.key.Of(layout.Beats)
	return s.conn.Do(ctx, "telling a heartbeat", conn.Write("hset", key, hb.Replica, s.records.Seal(seal.Heartbeat, []byte(hb.Replica), raw)), conn.Write("pexpire", key, beatsKeptFor.Milliseconds()))
}

// Beats implements store.Heartbeats.
func (s *heartbeats) Beats(ctx context.Context, now time.Time) ([]store.Heartbeat, error) {
	key := s.key.Of(layout.Beats)
	all := conn.Command(key, "hgetall", key)
	if err := s.conn.Do(ctx, "reading heartbeats", all); err != nil {
		return nil, err
	}
	var live []store.Heartbeat
	var forget []any
	for pair := range slices.Chunk(all.List(), 2) {
		if len(pair) != 2 {
			return nil, conn.Malformed("heartbeats", conn.ErrReply)
		}
		var b beat
		raw, err := s.records.Open(seal.Heartbeat, []byte(pair[0]), pair[1])
		if err == nil {
			err = json.Unmarshal(raw, &b)
		}
		if err != nil || b.Replica != pair[0] || !now.Before(b.Until) { // one that is forged stops nobody
			forget = append(forget, pair[0])
			continue
		}
		live = append(live, b.Heartbeat)
	}
	if len(forget) > 0 {
		_ = s.conn.Do(ctx, "forgetting heartbeats", conn.Write("hdel", key, forget...)) // the next call tries again
	}
	slices.SortFunc(live, func(a, b store.Heartbeat) int { return strings.Compare(a.Replica, b.Replica) })
	return live, nil
}
