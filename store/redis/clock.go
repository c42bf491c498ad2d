package redis

import (
	"context"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"signet/store"
)

var _ store.Clocked = (*Store)(nil)

// LoadKeyringAt implements store.Clocked. Where the user may not ask for the time it is not told.
func (s *Store) LoadKeyringAt(ctx context.Context) (version uint64, document []byte, at time.Time, err error) {
	clock := command(s.key.install(), "time")
	clock.optional = true
	if version, document, err = s.loadKeyring(ctx, clock); err != nil {
		return 0, nil, time.Time{}, err
	}
	return version, document, clock.time(), nil
}

// time is the answer of TIME: seconds and microseconds; zero where there is none.
func (c *call) time() time.Time {
	parts := c.list()
	if len(parts) != 2 {
		return time.Time{}
	}
	seconds, err := strconv.ParseInt(parts[0], 10, 64)
	if err != nil {
		return time.Time{}
	}
	micros, err := strconv.ParseInt(parts[1], 10, 64)
	if err != nil {
		return time.Time{}
	}
	return time.Unix(seconds, micros*1000).UTC()
}

// checkClock finds servers that do not tell the time.
func (s *Store) checkClock(ctx context.Context) (all []Finding) {
	_ = s.servers.eachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		if err := node.Time(ctx).Err(); hasPrefix(err, "NOPERM") {
			all = append(all, Finding{serverInfo{addr: node.Options().Addr}.where(), "it may not be asked for the time",
				"commands have no deadline, so that one which comes late can end a session; and a replica of Signet whose clock is wrong is found out by the other replicas only, or not at all; grant +time"})
		}
		return nil
	})
	return all
}
