package token

import (
	"encoding/binary"
	"errors"
	"math"
	"time"

	"signet/store"
)

// Code is the content of an authorization code (RFC 6749 §4.1.2): the session that begins when the code is redeemed, and all
// that decides about it. It is sealed with the client id as associated data, so nothing is stored of a code that is not redeemed,
// and a code of another client, or a forged one, does not open.
type Code struct {
	SessionID   store.SessionID // random, of the session to be; the code can be redeemed once because a session can begin once
	UserID      store.UserID
	UserEpoch   uint32          // the user's when the code was made: a sign-out everywhere or a new password ends the code
	ClientID    string          // not in the content: a code opens for this client alone
	ClientEpoch uint32          // the client's when the code was made
	Browser     store.SessionID // of the browser that the user is signed in with, a session of the same user; zero: none
	RedirectURI string          // as the authorization request had it
	Challenge   string          // of PKCE with S256 (RFC 7636 §4.2)
	Scope       string          // as granted
	Audience    []string        // as granted; empty: the server's default, whatever it is
	Chosen      bool            // the request named the services of Audience by resource
	Nonce       string          // of OpenID Connect Core §3.1.2.1; empty: none
	AMR         []string        // how the user signed in (RFC 8176)
	ACR         string
	AuthTime    time.Time // when the user signed in; whole milliseconds
	Expires     time.Time // at most CodeLife after it was made; whole milliseconds
}

const (
	// CodePrefix lets secret scanners spot a code that leaked.
	CodePrefix = "signet_ac_"
	// CodeLife is how long a code can be redeemed. RFC 6749 §4.1.2 allows ten minutes; an app redeems it at once.
	CodeLife = time.Minute
)

// ErrNotCode is text that is no authorization code of the client.
var ErrNotCode = errors.New("not an authorization code of this client")

// SealCode writes c for the client c.ClientID.
func (s *Sealer) SealCode(c Code) string { return s.code.Seal(c.appendTo(nil), c.ClientID) }

// OpenCode reads a code that SealCode wrote for the same client; anything else is ErrNotCode. The caller checks the rest: the
// redirect URI, the challenge and whether it has expired.
func (s *Sealer) OpenCode(code, clientID string) (Code, error) {
	plain, ok := s.code.Open(code, clientID)
	if !ok {
		return Code{}, ErrNotCode
	}
	c, err := decodeCode(plain)
	if err != nil {
		return Code{}, err
	}
	c.ClientID = clientID
	return c, nil
}

func (c Code) appendTo(b []byte) []byte {
	b = append(b, c.SessionID[:]...)
	b = append(b, c.UserID[:]...)
	b = append(b, c.Browser[:]...)
	for _, n := range []uint64{uint64(c.UserEpoch), uint64(c.ClientEpoch), uint64(c.AuthTime.UnixMilli()), uint64(c.Expires.UnixMilli())} {
		b = binary.AppendUvarint(b, n)
	}
	for _, text := range []string{c.RedirectURI, c.Challenge, c.Scope, c.Nonce, c.ACR} {
		b = appendText(b, text)
	}
	b = appendList(appendList(b, c.Audience), c.AMR)
	if c.Chosen {
		b = append(b, chosenMark)
	}
	return b
}

func decodeCode(b []byte) (Code, error) {
	r := fieldReader{rest: b}
	c := Code{SessionID: r.id(), UserID: r.id(), Browser: r.id()}
	userEpoch, clientEpoch := r.number(), r.number()
	c.UserEpoch, c.ClientEpoch = uint32(userEpoch), uint32(clientEpoch)
	c.AuthTime, c.Expires = time.UnixMilli(int64(r.number())).UTC(), time.UnixMilli(int64(r.number())).UTC()
	c.RedirectURI, c.Challenge, c.Scope, c.Nonce, c.ACR = r.text(), r.text(), r.text(), r.text(), r.text()
	c.Audience, c.AMR = r.list(), r.list()
	c.Chosen = r.mark()
	if r.bad || len(r.rest) > 0 || max(userEpoch, clientEpoch) > math.MaxUint32 {
		return Code{}, ErrNotCode
	}
	return c, nil
}
