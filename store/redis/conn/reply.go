package conn

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// What is read out of a reply decides whether a user is signed out. So a reply that is not of the
// kind that its command has is an error, as if there were none: it comes from something that is not
// Redis, or from a connection that has lost its place.

// Shape is the kind of reply that a command or script has.
type Shape uint8

const (
	noReply   Shape = iota // no reply fits: a command that the table below lacks
	TextReply              // a string, or nil where there is none
	NumberReply
	ListReply   // of strings, numbers and nils
	NestedReply // a list of anything
)

var shapes = map[string]Shape{
	"get": TextReply, "set": TextReply, "hget": TextReply,
	"del": NumberReply, "unlink": NumberReply, "exists": NumberReply, "pexpire": NumberReply, "pttl": NumberReply, "publish": NumberReply, "wait": NumberReply,
	"hset": NumberReply, "hdel": NumberReply,
	"hmget": ListReply, "hgetall": ListReply, "time": ListReply, "hvals": ListReply, "zrangebylex": ListReply,
	"xrange": NestedReply, "xrevrange": NestedReply,
}

// ErrReply: a reply is not of the kind that its command has, or does not hold what its script answers.
var ErrReply = errors.New("the reply is not what this command answers")

// check is nil where the reply, which is no error, has the call's shape.
func (c *Call) check() error {
	reply, fits := c.cmd.Val(), false
	switch c.shape {
	case TextReply:
		_, fits = reply.(string)
		fits = fits || reply == nil
	case NumberReply:
		_, fits = reply.(int64)
	case ListReply:
		var all []any
		all, fits = reply.([]any)
		for _, v := range all {
			fits = fits && flat(v)
		}
	case NestedReply:
		_, fits = reply.([]any)
	}
	if !fits {
		return fmt.Errorf("%w: a %T", ErrReply, reply)
	}
	return nil
}

func flat(v any) bool {
	switch v.(type) {
	case nil, string, int64:
		return true
	}
	return false
}

// answer is the call's error; having found nothing is none.
func answer(c *Call) error {
	if err := c.cmd.Err(); err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	return nil
}

func wentWrong(c *Call) bool { return answer(c) != nil }

// firstError leaves out calls that the others are good without.
func firstError(calls []*Call) error {
	for _, c := range calls {
		if err := answer(c); err != nil && !c.Optional {
			return err
		}
	}
	return nil
}

// A call that was not even sent has no answer: these find nothing in it.

// Done reports whether the server has answered that it did it.
func (c *Call) Done() bool { return c.cmd != nil && answer(c) == nil }

// Text is a reply that is a string; found is false for nil.
func (c *Call) Text() (value string, found bool) {
	if c.cmd == nil {
		return "", false
	}
	value, err := c.cmd.Text()
	return value, err == nil
}

// Number is a reply that is a number.
func (c *Call) Number() int64 {
	if c.cmd == nil {
		return 0
	}
	n, _ := c.cmd.Int64()
	return n
}

// List is a reply that is an array of strings, with "" for nil.
func (c *Call) List() []string {
	if c.cmd == nil {
		return nil
	}
	values, _ := c.cmd.Slice()
	list := make([]string, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case string:
			list[i] = v
		case int64:
			list[i] = strconv.FormatInt(v, 10)
		}
	}
	return list
}

// Outcome splits the reply of a script: a word, and what belongs to it. An unknown word is
// for the caller to refuse; an empty reply has none.
func (c *Call) Outcome() (word string, rest []string) {
	if all := c.List(); len(all) > 0 {
		return all[0], all[1:]
	}
	return "", nil
}

// Lists is a reply that is an array of arrays, as it was received.
func (c *Call) Lists() []any {
	if c.cmd == nil {
		return nil
	}
	all, _ := c.cmd.Slice()
	return all
}

// MayHaveRun reports whether the server may have carried the call out. After an error that is not known.
func (c *Call) MayHaveRun() bool { return c.cmd != nil && mayHaveRun(c.cmd.Err()) }

// Time is the reply of TIME: seconds and microseconds; zero where there is none.
func (c *Call) Time() time.Time {
	parts := c.List()
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
