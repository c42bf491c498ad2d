package redis

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
)

var _ store.Clocked = (*Store)(nil)

// LoadKeyringAt implements store.Clocked. Where the user may not ask for the time it is not told.
func (s *installs) LoadKeyringAt(ctx context.Context) (version uint64, document []byte, at time.Time, err error) {
	clock := conn.Command(s.key.Of(layout.Install), "time")
	clock.Optional = true
	if version, document, err = s.loadKeyring(ctx, clock); err != nil {
		return 0, nil, time.Time{}, err
	}
	return version, document, clock.Time(), nil
}

// checkClock finds servers that do not tell the time.
func checkClock(ctx context.Context, cn *conn.Conn) (all []Finding) {
	_ = cn.EachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		if err := node.Time(ctx).Err(); conn.HasCode(err, "NOPERM") {
			all = append(all, Finding{conn.Server{Addr: node.Options().Addr}.Name(), "it may not be asked for the time",
				"commands have no deadline, so that one which comes late can end a session; and a replica of Signet whose clock is wrong is found out by the other replicas only, or not at all; grant +time"})
		}
		return nil
	})
	return all
}
