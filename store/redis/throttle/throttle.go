// Package throttle counts attempts in Redis. The rules are those of store.Tally, in tally.lua.
package throttle

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"
	"strconv"
	"time"

	"signet/store"
	"signet/store/codec"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
	"signet/store/redis/script"
)

// Outcomes of an attempt, as decide.lua has them.
const (
	failed    = "failed"
	refunded  = "refunded"
	succeeded = "succeeded"
	cleared   = "cleared"
)

// Throttle is a store.Throttle.
type Throttle struct {
	conn *conn.Conn
	key  layout.Keyspace
}

// New returns the throttle of a store.
func New(cn *conn.Conn, key layout.Keyspace) *Throttle { return &Throttle{cn, key} }

// Allow implements store.Throttle.
func (t *Throttle) Allow(ctx context.Context, now time.Time, a store.Attempt) (store.Admission, error) {
	calls := t.AllowCalls(now, a)
	if len(calls) == 0 {
		return store.Admission{Receipt: store.Receipt{Attempt: a}}, t.conn.Ready(ctx)
	}
	if err := t.conn.Do(ctx, "asking the throttle", calls...); err != nil {
		return store.Admission{}, err
	}
	return t.Admission(ctx, now, a, calls)
}

// AllowCalls are one for each scope that has limits. The scopes are in different slots.
func (t *Throttle) AllowCalls(now time.Time, a store.Attempt) (calls []*conn.Call) {
	for _, scope := range a.Scopes {
		if len(scope.Limits) > 0 {
			calls = append(calls, t.scopeCall(script.Allow, scope, now, "", a.ID))
		}
	}
	return calls
}

func (t *Throttle) scopeCall(sc *conn.Script, scope store.Scope, now time.Time, how string, id store.AttemptID) *conn.Call {
	keys := make([]string, 0, len(scope.Limits)+1)
	args := []any{script.Millis(now), how, id[:], scope.From, len(scope.Limits)}
	for _, l := range scope.Limits {
		keys = append(keys, t.key.Bucket(scope.Place, l.Key))
		args = append(args, l.Free, l.Window.Milliseconds(), l.Backoff.Milliseconds(), l.Same, l.SameFor.Milliseconds(), script.OneIf(l.Forgive))
	}
	return sc.Call(append(keys, t.key.Networks(scope.Place)), args...)
}

// SucceededCalls are those of an attempt that succeeded. Their replies need not be read.
func (t *Throttle) SucceededCalls(now time.Time, a store.Attempt) []*conn.Call {
	return t.decideCalls(now, a, succeeded)
}

// Admission joins the answers of an attempt's scopes. Where one refuses, the places that others gave are
// given back; the attempt's id sees to it that nothing else is.
func (t *Throttle) Admission(ctx context.Context, now time.Time, a store.Attempt, calls []*conn.Call) (adm store.Admission, err error) {
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
		reached, err := t.limitKeys(c, rest[1:])
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
		_ = t.Refund(context.WithoutCancel(ctx), now, r)
	}
	return adm, nil
}

// limitKeys turns a script's numbers of limits into their keys.
func (t *Throttle) limitKeys(c *conn.Call, numbers []string) (keys []string, err error) {
	for _, number := range numbers {
		i, err := strconv.Atoi(number)
		key, ok := c.Key(i)
		if err != nil || !ok {
			return nil, conn.UnexpectedReply("asking the throttle", number)
		}
		_, bucket := t.key.PlaceOf(key)
		keys = append(keys, bucket)
	}
	return keys, nil
}

// Fail implements store.Throttle.
func (t *Throttle) Fail(ctx context.Context, now time.Time, r store.Receipt) (reached []string, err error) {
	return t.decide(ctx, now, r, failed)
}

// Refund implements store.Throttle.
func (t *Throttle) Refund(ctx context.Context, now time.Time, r store.Receipt) error {
	_, err := t.decide(ctx, now, r, refunded)
	return err
}

func (t *Throttle) decide(ctx context.Context, now time.Time, r store.Receipt, outcome string) (reached []string, err error) {
	calls := t.decideCalls(now, r.Attempt, outcome)
	if len(calls) == 0 {
		return nil, t.conn.Ready(ctx)
	}
	if err := t.conn.Do(ctx, "deciding an attempt", calls...); err != nil {
		return nil, err
	}
	return t.decided(calls)
}

// decided reads the answers to decideCalls.
func (t *Throttle) decided(calls []*conn.Call) (reached []string, err error) {
	for _, c := range calls {
		word, numbers := c.Outcome()
		if word != "done" {
			return nil, conn.UnexpectedReply("deciding an attempt", word)
		}
		keys, err := t.limitKeys(c, numbers)
		if err != nil {
			return nil, err
		}
		reached = append(reached, keys...)
	}
	return reached, nil
}

func (t *Throttle) decideCalls(now time.Time, a store.Attempt, outcome string) (calls []*conn.Call) {
	for _, scope := range a.Scopes {
		if len(scope.Limits) > 0 {
			calls = append(calls, t.scopeCall(script.Decide, scope, now, outcome, a.ID))
		}
	}
	return calls
}

// Count implements store.Throttle.
func (t *Throttle) Count(ctx context.Context, now time.Time, scope store.Scope) (time.Duration, error) {
	if len(scope.Limits) == 0 {
		return 0, t.conn.Ready(ctx)
	}
	count := t.scopeCall(script.Allow, scope, now, "1", store.AttemptID{})
	if err := t.conn.Do(ctx, "counting a failure", count); err != nil {
		return 0, err
	}
	adm, err := t.Admission(ctx, now, store.Attempt{}, []*conn.Call{count})
	return adm.Wait, err
}

// ListThrottle implements store.Throttle. It walks over all keys, as an operator may.
func (t *Throttle) ListThrottle(ctx context.Context, _ time.Time, pick func(place, key string) bool, limit int) (list []store.ThrottleState, err error) {
	if err := t.conn.Ready(ctx); err != nil {
		return nil, err
	}
	err = t.conn.EachKey(ctx, t.key.Pattern("t"), func(keys []string) error {
		keys = slices.DeleteFunc(keys, func(key string) bool {
			place, bucket := t.key.PlaceOf(key)
			return bucket == "" || !pick(place, bucket)
		})
		return t.conn.EachString(ctx, "listing what is throttled", keys[:min(len(keys), limit-len(list))], func(i int, raw string) error {
			tally, err := decodeTally([]byte(raw))
			if err != nil {
				return conn.Malformed("a throttle count", err)
			}
			place, bucket := t.key.PlaceOf(keys[i])
			list = append(list, tally.State(place, bucket))
			return nil
		})
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// decodeTally reads what tally.lua writes.
func decodeTally(raw []byte) (store.Tally, error) {
	r := codec.NewReader(raw)
	tally := store.Tally{Failures: r.Uint32(), First: r.Time(), Last: r.Time(), Ends: r.Time()}
	if err := r.Err(); err != nil {
		return tally, err
	}
	rest := r.Rest()
	if len(rest) < 2 || rest[0] != 2 || len(rest) < 2+int(rest[1]) {
		return tally, nil // of an earlier version
	}
	for rest = rest[2+int(rest[1]):]; len(rest) >= 16; rest = rest[16:] {
		tally.Reserved = append(tally.Reserved, store.Reservation{ID: store.AttemptID(rest[:8]), Until: time.UnixMilli(int64(binary.BigEndian.Uint64(rest[8:])))})
	}
	if len(rest) > 0 {
		return tally, fmt.Errorf("%w: %d bytes after the last place", codec.ErrMalformed, len(rest))
	}
	return tally, nil
}

// ClearThrottle implements store.Throttle.
func (t *Throttle) ClearThrottle(ctx context.Context, place string, keys []string) error {
	scope := store.Scope{Place: place}
	for _, key := range keys {
		scope.Limits = append(scope.Limits, store.Limit{Key: key, Window: time.Minute})
	}
	_, err := t.decide(ctx, time.Now(), store.Receipt{Attempt: store.Attempt{Scopes: []store.Scope{scope}}}, cleared)
	return err
}
