package redis

import (
	"context"
	"encoding/binary"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"signet/store"
	"signet/store/codec"
	"signet/store/redis/conn"
	"signet/store/redis/script"
)

// Outcomes of an attempt, as decide.lua has them.
const (
	attemptFailed    = "failed"
	attemptRefunded  = "refunded"
	attemptSucceeded = "succeeded"
	attemptCleared   = "cleared"
)

// throttle has the counts of attempts.
type throttle struct{ *common }

// Allow implements store.Throttle.
func (s *throttle) Allow(ctx context.Context, now time.Time, a store.Attempt) (store.Admission, error) {
	calls := s.allowCalls(now, a)
	if len(calls) == 0 {
		return store.Admission{Receipt: store.Receipt{Attempt: a}}, s.ready(ctx)
	}
	if err := s.conn.Do(ctx, "asking the throttle", calls...); err != nil {
		return store.Admission{}, err
	}
	return s.admission(ctx, now, a, calls)
}

// allowCalls are one for each scope that has limits. The scopes are in different slots.
func (s *throttle) allowCalls(now time.Time, a store.Attempt) (calls []*conn.Call) {
	for _, scope := range a.Scopes {
		if len(scope.Limits) > 0 {
			calls = append(calls, s.scopeCall(script.Allow, scope, now, "", a.ID))
		}
	}
	return calls
}

func (s *throttle) scopeCall(sc *conn.Script, scope store.Scope, now time.Time, how string, id store.AttemptID) *conn.Call {
	keys := make([]string, 0, len(scope.Limits)+1)
	args := []any{millis(now), how, id[:], scope.From, len(scope.Limits)}
	for _, l := range scope.Limits {
		keys = append(keys, s.key.Bucket(scope.Place, l.Key))
		forgive := 0
		if l.Forgive {
			forgive = 1
		}
		args = append(args, l.Free, l.Window.Milliseconds(), l.Backoff.Milliseconds(), l.Same, l.SameFor.Milliseconds(), forgive)
	}
	return sc.Call(append(keys, s.key.Networks(scope.Place)), args...)
}

// admission joins the answers of an attempt's scopes. Where one refuses, the places that others gave are
// given back; the attempt's id sees to it that nothing else is.
func (s *throttle) admission(ctx context.Context, now time.Time, a store.Attempt, calls []*conn.Call) (adm store.Admission, err error) {
	places := 0
	for _, c := range calls {
		word, rest := c.Outcome()
		if len(rest) == 0 {
			return store.Admission{}, conn.UnexpectedReply("asking the throttle", word)
		}
		n, err := strconv.Atoi(rest[0])
		switch {
		case err != nil:
			return store.Admission{}, conn.UnexpectedReply("asking the throttle", word)
		case word == "ok":
			places += n
		case word == "wait":
			adm.Wait = max(adm.Wait, time.Duration(n)*time.Millisecond)
		case word == "busy":
			adm.Busy = true
		default:
			return store.Admission{}, conn.UnexpectedReply("asking the throttle", word)
		}
		reached, err := s.limitKeys(c, rest[1:])
		if err != nil {
			return store.Admission{}, err
		}
		adm.Reached = append(adm.Reached, reached...)
	}
	r := store.Receipt{Attempt: a, Places: places}
	if adm.Wait == 0 && !adm.Busy {
		adm.Receipt = r
		return adm, nil
	}
	if places > 0 {
		// Places that stay because this fails count as failures after a while: never too little is counted.
		_ = s.Refund(context.WithoutCancel(ctx), now, r)
	}
	return adm, nil
}

// limitKeys turns a script's numbers of limits into their keys.
func (s *throttle) limitKeys(c *conn.Call, numbers []string) (keys []string, err error) {
	for _, number := range numbers {
		i, err := strconv.Atoi(number)
		key, ok := c.Key(i)
		if err != nil || !ok {
			return nil, conn.UnexpectedReply("asking the throttle", number)
		}
		_, bucket := s.key.PlaceOf(key)
		keys = append(keys, bucket)
	}
	return keys, nil
}

// Fail implements store.Throttle.
func (s *throttle) Fail(ctx context.Context, now time.Time, r store.Receipt) (reached []string, err error) {
	return s.decide(ctx, now, r, attemptFailed)
}

// Refund implements store.Throttle.
func (s *throttle) Refund(ctx context.Context, now time.Time, r store.Receipt) error {
	_, err := s.decide(ctx, now, r, attemptRefunded)
	return err
}

func (s *throttle) decide(ctx context.Context, now time.Time, r store.Receipt, outcome string) (reached []string, err error) {
	calls := s.decideCalls(now, r.Attempt, outcome)
	if len(calls) == 0 {
		return nil, s.ready(ctx)
	}
	if err := s.conn.Do(ctx, "deciding an attempt", calls...); err != nil {
		return nil, err
	}
	return s.decided(calls)
}

// decided reads the answers to decideCalls.
func (s *throttle) decided(calls []*conn.Call) (reached []string, err error) {
	for _, c := range calls {
		word, numbers := c.Outcome()
		if word != "done" {
			return nil, conn.UnexpectedReply("deciding an attempt", word)
		}
		keys, err := s.limitKeys(c, numbers)
		if err != nil {
			return nil, err
		}
		reached = append(reached, keys...)
	}
	return reached, nil
}

func (s *throttle) decideCalls(now time.Time, a store.Attempt, outcome string) (calls []*conn.Call) {
	for _, scope := range a.Scopes {
		if len(scope.Limits) > 0 {
			calls = append(calls, s.scopeCall(script.Decide, scope, now, outcome, a.ID))
		}
	}
	return calls
}

// Count implements store.Throttle.
func (s *throttle) Count(ctx context.Context, now time.Time, scope store.Scope) (time.Duration, error) {
	if len(scope.Limits) == 0 {
		return 0, s.ready(ctx)
	}
	count := s.scopeCall(script.Allow, scope, now, "1", store.AttemptID{})
	if err := s.conn.Do(ctx, "counting a failure", count); err != nil {
		return 0, err
	}
	adm, err := s.admission(ctx, now, store.Attempt{}, []*conn.Call{count})
	return adm.Wait, err
}

// ready answers as a call would that has nothing to ask.
func (s *common) ready(ctx context.Context) error {
	if err := s.conn.Ready(ctx); err != nil {
		return conn.Unavailable("using", err)
	}
	return nil
}

// ListThrottle implements store.Throttle. It walks over all keys, as an operator may.
func (s *throttle) ListThrottle(ctx context.Context, _ time.Time, pick func(place, key string) bool, limit int) (list []store.ThrottleState, err error) {
	if err := s.ready(ctx); err != nil {
		return nil, err
	}
	var mu sync.Mutex
	err = s.conn.EachMaster(ctx, func(ctx context.Context, node *redis.Client) error {
		for cursor := uint64(0); ; {
			keys, next, err := node.Scan(ctx, cursor, s.key.Pattern("t"), 1000).Result()
			if err != nil {
				return err
			}
			for _, key := range keys {
				place, bucket := s.key.PlaceOf(key)
				mu.Lock()
				full := len(list) >= limit
				mu.Unlock()
				if full || bucket == "" || !pick(place, bucket) {
					continue
				}
				raw, err := node.Get(ctx, key).Bytes()
				if err != nil {
					continue // it has just run out
				}
				t, err := decodeTally(raw)
				if err != nil {
					return conn.Malformed("a throttle count", err)
				}
				mu.Lock()
				list = append(list, t.State(place, bucket))
				mu.Unlock()
			}
			if cursor = next; cursor == 0 {
				return nil
			}
		}
	})
	if err != nil {
		return nil, conn.Unavailable("listing what is throttled", err)
	}
	return list, nil
}

// decodeTally reads what tally.lua writes.
func decodeTally(raw []byte) (store.Tally, error) {
	r := codec.NewReader(raw)
	t := store.Tally{Failures: r.Uint32(), First: r.Time(), Last: r.Time(), Ends: r.Time()}
	if err := r.Err(); err != nil {
		return t, err
	}
	rest := r.Rest()
	if len(rest) < 2 || rest[0] != 2 || len(rest) < 2+int(rest[1]) {
		return t, nil // of an earlier version
	}
	for rest = rest[2+int(rest[1]):]; len(rest) >= 16; rest = rest[16:] {
		t.Reserved = append(t.Reserved, store.Reservation{ID: store.AttemptID(rest[:8]), Until: time.UnixMilli(int64(binary.BigEndian.Uint64(rest[8:])))})
	}
	if len(rest) > 0 {
		return t, fmt.Errorf("%w: %d bytes after the last place", codec.ErrMalformed, len(rest))
	}
	return t, nil
}

// ClearThrottle implements store.Throttle.
func (s *throttle) ClearThrottle(ctx context.Context, place string, keys []string) error {
	scope := store.Scope{Place: place}
	for _, key := range keys {
		scope.Limits = append(scope.Limits, store.Limit{Key: key, Window: time.Minute})
	}
	_, err := s.decide(ctx, time.Now(), store.Receipt{Attempt: store.Attempt{Scopes: []store.Scope{scope}}}, attemptCleared)
	return err
}
