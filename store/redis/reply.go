package redis

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/redis/go-redis/v9"
)

// What is read out of a reply decides whether somebody is signed out. So a reply that is not of the
// kind that its command has is an error, as if there were none: it comes from something that is not
// Redis, or from a connection that has lost its place.

// shape is the kind of reply that a command or script has.
type shape uint8

const (
	noReply   shape = iota // no reply fits: a command that the table below lacks
	textReply              // a string, or nil where there is none
	numberReply
	listReply   // of strings, numbers and nils
	nestedReply // a list of anything
)

var shapes = map[string]shape{
	"get": textReply, "set": textReply, "hget": textReply,
	"del": numberReply, "unlink": numberReply, "exists": numberReply, "pexpire": numberReply, "pttl": numberReply, "publish": numberReply, "wait": numberReply,
	"hset": numberReply, "hdel": numberReply,
	"hmget": listReply, "hgetall": listReply, "time": listReply, "hvals": listReply, "zrangebylex": listReply,
	"xrange": nestedReply, "xrevrange": nestedReply,
}

var errReply = errors.New("the reply is not what this command answers")

// check is nil where the reply, which is no error, has the call's shape.
func (c *call) check() error {
	reply, fits := c.cmd.Val(), false
	switch c.shape {
	case textReply:
		_, fits = reply.(string)
		fits = fits || reply == nil
	case numberReply:
		_, fits = reply.(int64)
	case listReply:
		var all []any
		all, fits = reply.([]any)
		for _, v := range all {
			fits = fits && flat(v)
		}
	case nestedReply:
		_, fits = reply.([]any)
	}
	if !fits {
		return fmt.Errorf("%w: a %T", errReply, reply)
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
func answer(c *call) error {
	if err := c.cmd.Err(); err != nil && !errors.Is(err, redis.Nil) {
		return err
	}
	return nil
}

func wentWrong(c *call) bool { return answer(c) != nil }

// firstError leaves out calls that the others are good without.
func firstError(calls []*call) error {
	for _, c := range calls {
		if err := answer(c); err != nil && !c.optional {
			return err
		}
	}
	return nil
}

// A call that was not even sent has no answer: these find nothing in it.

// done reports whether the server has answered that it did it.
func (c *call) done() bool { return c.cmd != nil && answer(c) == nil }

// text is a reply that is a string; found is false for nil.
func (c *call) text() (value string, found bool) {
	if c.cmd == nil {
		return "", false
	}
	value, err := c.cmd.Text()
	return value, err == nil
}

func (c *call) number() int64 {
	if c.cmd == nil {
		return 0
	}
	n, _ := c.cmd.Int64()
	return n
}

// list is a reply that is an array of strings, with "" for nil.
func (c *call) list() []string {
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

// outcome splits what a script answers: a word, and what belongs to it. A word that nobody knows is
// for the caller to refuse; an empty reply has none.
func (c *call) outcome() (word string, rest []string) {
	if all := c.list(); len(all) > 0 {
		return all[0], all[1:]
	}
	return "", nil
}

// strange is the answer to a script's word that is not one of its words.
func (s *Store) strange(doing, word string) error {
	return s.unavailable(doing, fmt.Errorf("%w: the outcome %q", errReply, word))
}
