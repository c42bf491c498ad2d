package storetest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"testing"
	"time"

	"signet/store"
)

// Backend is an open store with nothing in it.
type Backend struct {
	Store store.Store

	// Reopen gives the same data again as another process would see them: by closing and opening a
	// file, or through a second connection. The first Store is not used afterwards.
	Reopen func(t *testing.T) store.Store

	// OneProcess: only one process at a time has the data open, so attempts that were under way when they are opened
	// are those of a process that is gone.
	OneProcess bool

	// OpenError tries to open the same data again and returns the error. Nil: not to be had.
	OpenError func(t *testing.T) error

	// Retain opens an empty store that keeps so many audit events.
	Retain func(t *testing.T, keep store.Retention) store.Store

	// Fault makes every write fail, at the given place, until clear is called. Nil: the backend
	// cannot be made to fail.
	Fault func(t *testing.T, at Fault) (clear func())
}

// Fault is a place where a write can fail.
type Fault int

const (
	BeforeCommit Fault = iota // nothing has happened
	AfterCommit               // everything has happened, and the caller does not know
)

// Run runs every case of the contract.
func Run(t *testing.T, open func(t *testing.T) Backend) {
	for _, c := range []struct {
		name string
		run  func(t *testing.T, b Backend)
	}{
		{"clients", testClients},
		{"client updates", testClientUpdates},
		{"client paging", testClientPaging},
		{"clients version", testClientsVersion},
		{"users", testUsers},
		{"user updates", testUserUpdates},
		{"user paging", testUserPaging},
		{"copies are independent", testCopies},
		{"concurrent creation has one winner", testCreateRace},
		{"install", testInstall},
		{"newer schema", testSchema},
		{"keyring", testKeyring},
		{"keyring race", testKeyringRace},
		{"start session", testStartSession},
		{"session cap", testSessionCap},
		{"list sessions", testListSessions},
		{"revoke session", testRevokeSession},
		{"revoke all sessions", testRevokeSessions},
		{"sign-outs need no clock", testSignOuts},
		{"epochs of clients", testClientEpochsRise},
		{"rotate", testRotate},
		{"login", testLogin},
		{"login after a change", testLoginAfterChange},
		{"64 present one generation", testRotateRace},
		{"revoke all against rotate", testRevokeRace},
		{"revoke all against start", testRevokeStartRace},
		{"model", testModel},
		{"token state", testTokenState},
		{"revoked tokens", testRevokedTokens},
		{"assertions", testAssertions},
		{"64 present four assertions", testAssertionRace},
		{"throttle", testThrottle},
		{"throttle reserves", testReserve},
		{"throttle scopes", testScopes},
		{"throttle repeats", testRepeats},
		{"throttle forgets nobody", testUndecided},
		{"throttle success", testSucceed},
		{"throttle clears", testClearThrottle},
		{"throttle model", testThrottleModel},
		{"throttle takes all or nothing", testTakeAll},
		{"throttle race", testThrottleRace},
		{"audit", testAudit},
		{"audit order", testAuditOrder},
		{"audit rings", testAuditRings},
		{"audit queries", testAuditQueries},
		{"outbox: the process crashes", testOutboxCrash},
		{"outbox: the events are appended", testOutboxAppended},
		{"outbox: a change with several events", testOutboxSeveral},
		{"outbox: no event is appended twice", testOutboxTwice},
		{"outbox: the events are dropped", testOutboxDropped},
		{"heartbeats", testHeartbeats},
		{"sweep", testSweep},
		{"reopen", testReopen},
		{"throttle survives an orderly restart", testThrottleReopen},
		{"fault before commit", testFaultBefore},
		{"fault after commit", testFaultAfter},
		{"cancelled context", testCancelled},
		{"closed", testClosed},
	} {
		t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
	}
}

// t0 is when every case begins.
var t0 = time.Date(2031, 5, 6, 7, 8, 9, 123_000_000, time.UTC)

var month = store.Lifetimes{Idle: 30 * 24 * time.Hour, Absolute: 90 * 24 * time.Hour}

func newUserID() (id store.UserID) {
	rand.Read(id[:])
	return id
}

func newSessionID() (id store.SessionID) {
	rand.Read(id[:])
	return id
}

func randomName() string {
	var b [6]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// addUser creates a user with a name of its own.
func addUser(t testing.TB, s store.Store) store.User {
	t.Helper()
	u := store.User{ID: newUserID(), Username: "user-" + randomName(), CreatedAt: t0, UpdatedAt: t0}
	noError(t, "CreateUser", s.CreateUser(context.Background(), u))
	return u
}

// addSession begins a session of the client "app" at the given time.
func addSession(t testing.TB, s store.Store, user store.UserID, at time.Time) store.Session {
	t.Helper()
	in := store.Session{ID: newSessionID(), UserID: user, ClientID: "app", StartedAt: at}
	got, _, err := s.StartSession(context.Background(), in, store.SessionLimits{PerUser: 100})
	noError(t, "StartSession", err)
	return got
}

// rotation presents a generation of a session, with ten seconds of grace and three replays.
func rotation(s store.Session, generation uint32, now time.Time) store.Rotation {
	return store.Rotation{
		UserID: s.UserID, SessionID: s.ID, ClientID: s.ClientID, Generation: generation,
		Now: now, Lifetimes: month, Grace: 10 * time.Second, MaxReplays: 3, Loss: lossAfter(t0.Add(24 * time.Hour)),
	}
}
