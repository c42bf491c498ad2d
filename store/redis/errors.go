package redis

import (
	"errors"
	"fmt"

	"signet/store/redis/conn"
)

var errForeign = errors.New("it holds another install's data; stop this server and look at its store setting")

// malformed is for a record that cannot be read.
func malformed(what string, err error) error { return conn.Unavailable("reading "+what, err) }

// unexpectedReply is for a script's word that is not one of its words.
func unexpectedReply(doing, word string) error {
	return conn.Unavailable(doing, fmt.Errorf("%w: the outcome %q", conn.ErrReply, word))
}
