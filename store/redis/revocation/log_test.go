package revocation

import (
	"fmt"
	"testing"
	"time"

	"signet/store"
)

// TestKinds: revocations that clients can make of their own tokens push nothing else out of the log,
// and its memory is bounded all the same.
func TestKinds(t *testing.T) {
	t.Parallel()
	l := NewLog()
	session := store.SessionID{1}
	l.SessionEnded(store.UserID{1}, session)
	l.UserDeleted(store.UserID{2})
	l.TokenRevoked("first", time.Now().Add(time.Hour))
	for i := range most + 10 {
		l.TokenRevoked(fmt.Sprint(i), time.Now().Add(time.Hour))
	}
	if !l.HasSession(session) || len(l.ends) != 1 {
		t.Error("the end of a session or of a user was pushed out by revoked tokens")
	}
	if l.HasToken("first") || len(l.tokens) > most {
		t.Errorf("%d revoked tokens are remembered, want at most %d", len(l.tokens), most)
	}
	l.now = func() time.Time { return time.Now().Add(2 * keptFor) }
	l.TokenRevoked("last", time.Now())
	if len(l.entries) != 1 {
		t.Errorf("%d entries are remembered after their time, want 1", len(l.entries))
	}
}
