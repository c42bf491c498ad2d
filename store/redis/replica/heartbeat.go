package replica

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

// beat is a heartbeat as it lies in Redis: one field of a hash that expires when no replica sends any.
type beat struct {
	store.Heartbeat
	Until time.Time `json:"until"`
}

// Heartbeats has the heartbeats of the replicas.
type Heartbeats struct {
	conn    *conn.Conn
	key     layout.Keyspace
	records *layout.Codec
}

// NewHeartbeats returns the heartbeats of a store.
func NewHeartbeats(cn *conn.Conn, key layout.Keyspace, records *layout.Codec) *Heartbeats {
	return &Heartbeats{cn, key, records}
}

const beatsKeptFor = time.Hour

// Beat implements store.Heartbeats.
func (h *Heartbeats) Beat(ctx context.Context, hb store.Heartbeat, ttl time.Duration) error {
	hb.At = store.Millis(hb.At)
	raw, err := json.Marshal(beat{hb, hb.At.Add(ttl)})
	if err != nil {
		return err
	}
	key := h.key.Of(layout.Beats)
	set := conn.Write("hset", key, hb.Replica, h.records.Seal(seal.Heartbeat, []byte(hb.Replica), raw))
	return h.conn.Do(ctx, "telling a heartbeat", set, conn.Write("pexpire", key, beatsKeptFor.Milliseconds()))
}

// Beats implements store.Heartbeats.
func (h *Heartbeats) Beats(ctx context.Context, now time.Time) ([]store.Heartbeat, error) {
	key := h.key.Of(layout.Beats)
	all := conn.Command(key, "hgetall", key)
	if err := h.conn.Do(ctx, "reading heartbeats", all); err != nil {
		return nil, err
	}
	var live []store.Heartbeat
	var forget []any
	for pair := range slices.Chunk(all.List(), 2) {
		if len(pair) != 2 {
			return nil, conn.Malformed("heartbeats", conn.ErrReply)
		}
		var b beat
		raw, err := h.records.Open(seal.Heartbeat, []byte(pair[0]), pair[1])
		if err == nil {
			err = json.Unmarshal(raw, &b)
		}
		if err != nil || b.Replica != pair[0] || !now.Before(b.Until) { // a forged one stops no replica
			forget = append(forget, pair[0])
			continue
		}
		live = append(live, b.Heartbeat)
	}
	if len(forget) > 0 {
		_ = h.conn.Do(ctx, "forgetting heartbeats", conn.Write("hdel", key, forget...)) // the next call tries again
	}
	slices.SortFunc(live, func(a, b store.Heartbeat) int { return strings.Compare(a.Replica, b.Replica) })
	return live, nil
}
