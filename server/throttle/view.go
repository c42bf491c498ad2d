package throttle

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"signet/store"
)

// Query selects what an operator asks about. The zero Query selects everything.
type Query struct {
	Username string     // in canonical form; empty: any
	Address  netip.Addr // the zero Addr: from anywhere
}

// Picker returns what selects the limits of the query.
func (t *Throttle) Picker(q Query) func(place, key string) bool {
	var account, accountMark, place string
	var marks []string
	if q.Username != "" {
		account, accountMark = t.accountPlace(q.Username), t.mark("account", q.Username)
	}
	if q.Address.IsValid() {
		place = t.place(q.Address)
		for _, prefix := range networks(q.Address) {
			marks = append(marks, t.mark("network", prefix.String()))
		}
	}
	return func(at, key string) bool {
		parts := strings.Split(key, ".")
		ofUser := account == "" || at == account || len(parts) == 4 && parts[0] == KindAccount && parts[2] == accountMark
		fromThere := place == "" || at == place && len(parts) == 4 && slices.Contains(marks, parts[3])
		return ofUser && fromThere
	}
}

// View is a limit as an operator sees it. Of names and networks that the query does not name the store has
// only marks.
type View struct {
	Kind     string        // see KindAccount and the others
	Network  string        // prefix, or its size where it is not known
	Failures int           // that count
	UnderWay int           // attempts that are being decided
	Wait     time.Duration // before the next attempt
	Until    time.Time     // when the failures are forgotten
}

// View explains a state.
func (t *Throttle) View(cfg Config, q Query, s store.ThrottleState, now time.Time) View {
	v := View{Kind: s.Key, Failures: s.Failures, UnderWay: s.UnderWay, Until: s.Until}
	limit := store.Limit{Free: cfg.Anywhere, Backoff: accountBackoff, Window: anywhereWindow}
	if parts := strings.Split(s.Key, "."); len(parts) == 4 {
		v.Kind = parts[0]
		bits, _ := strconv.Atoi(parts[1])
		v.Network = "/" + parts[1]
		if q.Address.IsValid() {
			if prefix, err := q.Address.WithZone("").Prefix(bits); err == nil {
				v.Network = prefix.String()
			}
		}
		limit = cfg.limit(v.Kind, bits)
	}
	if !now.Before(s.Until) {
		v.Failures = 0
	}
	if v.Failures > 0 {
		v.Wait = limit.WaitAfter(s, now)
	}
	return v
}

// limit is what holds for a kind at a network of that size.
func (cfg Config) limit(kind string, bits int) store.Limit {
	level := max(0, slices.Index([]int{64, 56, 48}, bits))
	wide := 1 << (2 * level)
	switch kind {
	case KindAccount:
		return store.Limit{Free: cfg.PerAccount << level, Window: accountWindow, Backoff: accountBackoff}
	case KindClient, KindUnknown:
		return store.Limit{Free: cfg.PerClient * wide, Window: networkWindow}
	}
	return store.Limit{Free: cfg.PerNetwork * wide, Window: networkWindow}
}
