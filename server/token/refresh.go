package token

import (
	"encoding/binary"
	"errors"
	"time"

	"signet/store"
)

// Refresh is the content of a refresh token: the session, the generation, and the facts that do not change while
// the session lives. It is sealed with the client id as associated data, so a token of another client, or a forged
// one, does not open and costs the store nothing.
type Refresh struct {
	UserID     store.UserID
	SessionID  store.SessionID
	Generation uint32
	AuthTime   time.Time // whole milliseconds
	Scope      string    // as granted at the login
	Audience   []string  // as granted at the login; empty: the server's default, whatever it is
	AMR        []string  // how the user signed in (RFC 8176); empty: not known
	ACR        string    // which class of authentication that was; empty: not known
	Chosen     bool      // the login named the services of Audience by resource: the issuer is not added to them
}

// RefreshPrefix lets secret scanners spot a token that leaked.
const RefreshPrefix = "signet_rt_"

// ErrNotRefresh is text that is no refresh token of the client.
var ErrNotRefresh = errors.New("not a refresh token of this client")

// Seal writes t for the client. The same token always seals to the same string: that is how a retry inside the grace window
// gets the same successor although nothing that could be replayed is stored.
func (s *Sealer) Seal(t Refresh, clientID string) string {
	return s.refresh.Seal(t.appendTo(make([]byte, 0, 160+len(t.Scope))), clientID)
}

// Open reads a token that Seal wrote for the same client; anything else is ErrNotRefresh.
func (s *Sealer) Open(token, clientID string) (Refresh, error) {
	plain, ok := s.refresh.Open(token, clientID)
	if !ok {
		return Refresh{}, ErrNotRefresh
	}
	return decodeRefresh(plain)
}

func (t Refresh) appendTo(b []byte) []byte {
	b = append(b, t.UserID[:]...)
	b = append(b, t.SessionID[:]...)
	b = binary.AppendUvarint(b, uint64(t.Generation))
	b = binary.AppendUvarint(b, uint64(t.AuthTime.UnixMilli()))
	b = appendText(b, t.Scope)
	b = appendList(b, t.Audience)
	if len(t.AMR) == 0 && t.ACR == "" && !t.Chosen {
		return b // as earlier versions wrote it
	}
	b = appendText(appendList(b, t.AMR), t.ACR)
	if t.Chosen {
		b = append(b, chosenMark)
	}
	return b
}

// chosenMark is at the end of a refresh token whose login named its services.
const chosenMark = 1

func decodeRefresh(b []byte) (Refresh, error) {
	var t Refresh
	if len(b) < len(t.UserID)+len(t.SessionID) {
		return Refresh{}, ErrNotRefresh
	}
	b = b[copy(t.UserID[:], b):]
	b = b[copy(t.SessionID[:], b):]
	r := fieldReader{rest: b}
	generation := r.number()
	t.Generation = uint32(generation)
	t.AuthTime = time.UnixMilli(int64(r.number())).UTC()
	t.Scope = r.text()
	t.Audience = r.list()
	if len(r.rest) > 0 {
		t.AMR, t.ACR = r.list(), r.text()
		t.Chosen = r.mark()
		r.bad = r.bad || len(t.AMR) == 0 && t.ACR == "" && !t.Chosen
	}
	if r.bad || len(r.rest) > 0 || generation > 1<<32-1 {
		return Refresh{}, ErrNotRefresh
	}
	return t, nil
}
