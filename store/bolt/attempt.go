package bolt

import (
	"bytes"
	"encoding/binary"
	"math"
	"time"

	"signet/store"
	"signet/store/packed"
)

// count is what is remembered about one throttle bucket.
type count struct {
	n       uint32
	first   time.Time // the attempt that the window of a bucket without backoff counts from
	last    time.Time // the last attempt that counted
	expires time.Time
	same    []byte // of the last attempt that counted
}

// take says what one attempt does to the count: how long it has to wait, or, when that is nothing,
// the count as it then is. It does not change c.
func (c count) take(now time.Time, b store.Bucket) (wait time.Duration, next count) {
	if now.Before(c.last) { // the clock ran backwards
		now = c.last
	}
	if !now.Before(c.expires) {
		c = count{first: now}
	}
	if repeated := c.n > 0 && len(b.Same) > 0 && bytes.Equal(b.Same, c.same); repeated && now.Sub(c.last) <= b.SameFor {
		return 0, c
	}
	if wait := c.wait(now, b); wait > 0 {
		return wait, c
	}
	if c.n < math.MaxUint32 {
		c.n++
	}
	c.last, c.same = now, bytes.Clone(b.Same)
	c.expires = c.end(b)
	return 0, c
}

func (c count) wait(now time.Time, b store.Bucket) time.Duration {
	switch {
	case int64(c.n) < int64(b.Limit):
		return 0
	case b.Backoff == 0:
		return c.first.Add(b.Window).Sub(now)
	case c.n == 0:
		return 0
	default:
		return c.last.Add(backoff(int64(c.n)-int64(b.Limit), b.Backoff)).Sub(now)
	}
}

// backoff is 1, 2, 4 … seconds, and never more than most.
func backoff(above int64, most time.Duration) time.Duration {
	if above > 32 {
		return most
	}
	return min(time.Second<<above, most)
}

func (c count) end(b store.Bucket) time.Time {
	if b.Backoff == 0 {
		return c.first.Add(b.Window)
	}
	return c.last.Add(b.Window)
}

// packCount writes: n 4 ‖ first 8 ‖ last 8 ‖ expires 8 ‖ same.
func packCount(c count) []byte {
	b := binary.BigEndian.AppendUint32(make([]byte, 0, 28+len(c.same)), c.n)
	b = packed.AppendTime(b, c.first)
	b = packed.AppendTime(b, c.last)
	b = packed.AppendTime(b, c.expires)
	return append(b, c.same...)
}

func unpackCount(raw []byte) (count, error) {
	r := packed.NewReader(raw)
	c := count{n: r.Uint32(), first: r.Time(), last: r.Time(), expires: r.Time()}
	c.same = bytes.Clone(r.Rest())
	return c, r.Err()
}
