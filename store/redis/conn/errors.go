package conn

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/redis/go-redis/v9"
	"github.com/sony/gobreaker/v2"

	"signet/store"
)

var errClosed = errors.New("it is closed")

// Unavailable wraps in store.ErrUnavailable what went wrong on the way to Redis: nothing is known, and asking
// again later is right. Where only another configuration helps it is store.ErrMisconfigured as well. The messages of Redis
// and of the network hold no secrets.
func Unavailable(doing string, err error) error {
	err = fmt.Errorf("%w: redis: %s: %w", store.ErrUnavailable, doing, err)
	if misconfigured(err) && !errors.Is(err, store.ErrMisconfigured) {
		return Misconfigured(err)
	}
	return err
}

// Misconfigured makes err a store.ErrMisconfigured as well.
func Misconfigured(err error) error { return markedMisconfigured{err} }

// markedMisconfigured makes an error a store.ErrMisconfigured, with the same text.
type markedMisconfigured struct{ error }

func (m markedMisconfigured) Unwrap() error { return m.error }

// Is implements the interface of errors.Is.
func (markedMisconfigured) Is(target error) bool { return target == store.ErrMisconfigured }

// misconfigured reports whether what went wrong stays so until the configuration is another one: the credentials, the
// certificates, or what answers at that address.
func misconfigured(err error) bool {
	var (
		verification *tls.CertificateVerificationError
		record       tls.RecordHeaderError
		alert        tls.AlertError
		authority    x509.UnknownAuthorityError
		host         x509.HostnameError
		invalid      x509.CertificateInvalidError
	)
	switch {
	case errors.As(err, &verification), errors.As(err, &record), errors.As(err, &alert), errors.As(err, &authority), errors.As(err, &host),
		errors.As(err, &invalid):
		return true
	case HasCode(err, "WRONGPASS", "NOAUTH", "NOPERM", "DENIED", "MOVED"):
		return true
	}
	// Replies with the code ERR, and what go-redis makes of an answer that is none of Redis, have nothing but a text.
	for _, part := range []string{
		"ERR AUTH", "ERR Client sent AUTH", "ERR invalid password", "ERR invalid username",
		"cluster support disabled", "ERR unknown command", "ERR SELECT", "ERR DB index", "ERR invalid DB index",
		"tls: ", "redis: can't parse", "redis: invalid reply", "redis: unexpected",
	} {
		if strings.Contains(err.Error(), part) {
			return true
		}
	}
	return false
}

// Malformed is for a record that cannot be read.
func Malformed(what string, err error) error { return Unavailable("reading "+what, err) }

// UnexpectedReply is for a word that a script does not have among its outcomes.
func UnexpectedReply(doing, word string) error {
	return Unavailable(doing, fmt.Errorf("%w: the outcome %q", ErrReply, word))
}

// failed reports whether an error means that the server or the network does not work, which is
// what a breaker counts. A server that refuses one command works: while it is full it takes no
// logins, and revocations and the keyring must still get through.
func failed(err error) bool {
	switch {
	case err == nil, errors.Is(err, redis.Nil):
		return false
	case HasCode(err, "NOSCRIPT", "LATE", "MOVED", "ASK", "TRYAGAIN"):
		return false
	case HasCode(err, "OOM", "MISCONF", "READONLY", "NOREPLICAS", "NOPERM"), inScript(err):
		return false
	default:
		return true
	}
}

// inScript reports whether a command in a script was refused: before version 7 that is all that the
// code shows.
func inScript(err error) bool {
	return HasCode(err, "ERR") && strings.Contains(err.Error(), "@user_script")
}

// tellsNothing reports whether an error is not about the server at all: the caller gave up, or there
// are more callers than connections. (A server that is too slow for them shows in timeouts.)
func tellsNothing(err error) bool {
	return errors.Is(err, context.Canceled) || errors.Is(err, redis.ErrPoolTimeout)
}

// mayHaveRun reports whether the server may have carried out what was answered by err.
func mayHaveRun(err error) bool {
	return err == nil || !errors.Is(err, gobreaker.ErrOpenState) && !errors.Is(err, gobreaker.ErrTooManyRequests) &&
		!errors.Is(err, redis.ErrPoolTimeout) && !IsReply(err)
}

// IsReply reports whether err is a reply of the server: then nothing was carried out.
func IsReply(err error) bool {
	var reply redis.Error
	return errors.As(err, &reply)
}

// HasCode reports whether err is a server's reply with one of the codes, however deep it is wrapped.
func HasCode(err error, codes ...string) bool {
	var reply redis.Error
	if !errors.As(err, &reply) {
		return false
	}
	code, _, _ := strings.Cut(reply.Error(), " ")
	return slices.Contains(codes, code)
}
