package redis

import (
	"fmt"
	"testing"
	"time"

	"signet/store"
)

// TestRevocationLogKinds: revocations that clients can make of their own tokens push nothing else out of the revocation log,
// and its memory is bounded all the same.
func TestRevocationLogKinds(t *testing.T) {
	t.Parallel()
	j := newRevocationLog()
	session := store.SessionID{1}
	j.sessionEnded(store.UserID{1}, session)
	j.userDeleted(store.UserID{2})
	j.tokenRevoked("first", time.Now().Add(time.Hour))
	for i := range revocationsMost + 10 {
		j.tokenRevoked(fmt.Sprint(i), time.Now().Add(time.Hour))
	}
	if !j.hasSession(session) || len(j.ends) != 1 {
		t.Error("the end of a session or of a user was pushed out by revoked tokens")
	}
	if j.hasToken("first") || len(j.tokens) > revocationsMost {
		t.Errorf("%d revoked tokens are remembered, want at most %d", len(j.tokens), revocationsMost)
	}
	j.now = func() time.Time { return time.Now().Add(2 * revocationsKept) }
	j.tokenRevoked("last", time.Now())
	if len(j.entries) != 1 {
		t.Errorf("%d entries are remembered after their time, want 1", len(j.entries))
	}
}
