package conn

import (
	"slices"

	"github.com/redis/go-redis/v9"
)

// Call is one command or script, and later its reply. All its keys are in the slot of the first one. A Call is used
// once.
type Call struct {
	// Optional calls may fail: the others of the same round trip are good without them.
	Optional bool

	key     string
	args    []any
	shape   Shape
	script  *Script // nil: a plain command
	confirm bool    // it is about the calls before it: where one of them is sent again, so is this
	cmd     *redis.Cmd

	lastKey lastKey
}

// lastKey is whether a script can do without its last key.
type lastKey uint8

const (
	needed lastKey = iota
	optional
	dropped
)

// Command calls a command. key is the one that decides the slot.
func Command(key string, args ...any) *Call {
	name, _ := args[0].(string)
	return &Call{key: key, args: args, shape: shapes[name]}
}

// Write calls a command that writes its first argument, by a script, so that it has a deadline.
func Write(name, key string, args ...any) *Call {
	c := WriteScript.Call([]string{key}, append([]any{name}, args...)...)
	c.shape = shapes[name]
	return c
}

// Call calls the script.
func (sc *Script) Call(keys []string, args ...any) *Call {
	all := make([]any, 0, beforeKeys+len(keys)+len(args))
	all = append(all, "evalsha", sc.SHA, len(keys))
	for _, key := range keys {
		all = append(all, key)
	}
	return &Call{key: keys[0], args: append(all, args...), shape: sc.Answers, script: sc}
}

// beforeKeys is how many arguments of a script are before its keys: evalsha, the name, and how many keys there are.
const beforeKeys = 3

// Slot is the key that decides the slot.
func (c *Call) Slot() string { return c.key }

// Key returns a key of a script by its number, from 1.
func (c *Call) Key(number int) (key string, ok bool) {
	keys, _ := c.args[beforeKeys-1].(int)
	if number < 1 || number > keys {
		return "", false
	}
	key, ok = c.args[beforeKeys-1+number].(string)
	return key, ok
}

// LastKeyOptional lets a script go on without its last key, and with an empty last argument, while its slot moves to another
// server: a script whose keys are not all on one server would have to wait until the slot has moved.
func (c *Call) LastKeyOptional() { c.lastKey = optional }

// LastKeyDropped reports whether it did.
func (c *Call) LastKeyDropped() bool { return c.lastKey == dropped }

func (c *Call) dropLastKey() {
	if c.lastKey != optional {
		return
	}
	c.lastKey = dropped
	keys, _ := c.args[beforeKeys-1].(int)
	c.args = slices.Delete(slices.Clone(c.args), beforeKeys+keys-1, beforeKeys+keys)
	c.args[beforeKeys-1], c.args[len(c.args)-1] = keys-1, ""
}

// sent are the arguments as they go to a server with that clock.
func (c *Call) sent(d deadline) []any {
	if c.script == nil || !c.script.changes {
		return c.args
	}
	return append(slices.Clip(c.args), d)
}

// whole sends the script itself instead of its name, where the call is one.
func (c *Call) whole() {
	if c.script != nil {
		c.args[0], c.args[1] = "eval", c.script.Source
	}
}
