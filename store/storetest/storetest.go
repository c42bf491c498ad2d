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

	// Reopen opens the same data as another process would: by closing and opening a file, or through a second connection. The first Store is not used afterwards.
	Reopen func(t *testing.T) store.Store

	// OneProcess: only one process at a time has the data open, so attempts that were under way when they are opened
	// are those of a process that is gone.
	OneProcess bool

	// OpenError tries to open the same data again and returns the error. Nil: the backend cannot do that.
	OpenError func(t *testing.T) error

	// Retain opens an empty store that keeps that many audit events.
	Retain func(t *testing.T, keep store.Retention) store.Store

	// Bound opens an empty store in which so many logouts wait at most.
	Bound func(t *testing.T, logouts int) store.Store

	// Fault makes every write fail, at the given place, until clear is called. Nil: the backend
	// cannot be made to fail.
	Fault func(t *testing.T, at Fault) (clear func())
}

// Fault is a place where a write can fail.
type Fault int

const (
	BeforeCommit Fault = iota // nothing is changed
	AfterCommit               // the change is durable, and its answer is lost
)

// contract has the cases by what they are about.
var contract = []struct {
	about string
	cases []testCase
}{
	{"clients", []testCase{
		{"create and read", testClients},
		{"updates", testClientUpdates},
		{"paging", testClientPaging},
		{"version", testClientsVersion},
		{"epochs", testClientEpochsRise},
	}},
	{"users", []testCase{
		{"create and read", testUsers},
		{"updates", testUserUpdates},
		{"paging", testUserPaging},
		{"names", testRenames},
		{"concurrent renames", testRenameRace},
		{"concurrent creations with aliases", testAliasRace},
	}},
	{"records", []testCase{
		{"copies are independent", testCopies},
		{"concurrent creation has one winner", testCreateRace},
	}},
	{"install", []testCase{
		{"create and read", testInstall},
		{"newer schema", testSchema},
	}},
	{"keyring", []testCase{
		{"swap", testKeyring},
		{"race", testKeyringRace},
	}},
	{"sessions", []testCase{
		{"start", testStartSession},
		{"limit", testSessionCap},
		{"list", testListSessions},
		{"revoke one", testRevokeSession},
		{"revoke all", testRevokeSessions},
		{"sign-outs need no clock", testSignOuts},
		{"rotate", testRotate},
		{"64 present one generation", testRotateRace},
		{"revoke all against rotate", testRevokeRace},
		{"revoke all against start", testRevokeStartRace},
		{"model", testModel},
	}},
	{"codes", []testCase{
		{"redeem once", testRedeemCode},
		{"what ends a code", testCodeEnded},
		{"sessions that began from another", testParent},
		{"64 redeem four", testRedeemRace},
		{"revoke against redeem", testRevokeRedeemRace},
		{"events", testCodeEvents},
	}},
	{"logouts", []testCase{
		{"every end", testLogouts},
		{"the clients that are informed", testLogoutClients},
		{"claim, postpone, finish", testLogoutQueue},
		{"reopen", testLogoutsReopen},
		{"64 claim", testLogoutRace},
		{"the oldest are dropped", testLogoutsDropped},
	}},
	{"login", []testCase{
		{"both halves", testLogin},
		{"after a change", testLoginAfterChange},
	}},
	{"tokens", []testCase{
		{"state", testTokenState},
		{"revoked", testRevokedTokens},
	}},
	{"assertions", []testCase{
		{"once", testAssertions},
		{"64 present four", testAssertionRace},
	}},
	{"throttle", []testCase{
		{"counts", testThrottle},
		{"all or nothing", testTakeAll},
		{"race", testThrottleRace},
		{"an orderly restart", testThrottleReopen},
		{"places", testReserve},
		{"scopes", testScopes},
		{"repeats", testRepeats},
		{"no result", testUndecided},
		{"success", testSucceed},
		{"clear", testClearThrottle},
		{"model", testThrottleModel},
	}},
	{"audit", []testCase{
		{"append and read", testAudit},
		{"order", testAuditOrder},
		{"classes", testAuditRings},
		{"queries", testAuditQueries},
	}},
	{"outbox", []testCase{
		{"the process crashes", testOutboxCrash},
		{"the events are appended", testOutboxAppended},
		{"a change with several events", testOutboxSeveral},
		{"no event is appended twice", testOutboxTwice},
		{"the events are dropped", testOutboxDropped},
	}},
	{"upkeep", []testCase{
		{"heartbeats", testHeartbeats},
		{"sweep", testSweep},
		{"reopen", testReopen},
	}},
	{"faults", []testCase{
		{"before the commit", testFaultBefore},
		{"after the commit", testFaultAfter},
		{"cancelled context", testCancelled},
		{"closed", testClosed},
	}},
}

type testCase struct {
	name string
	run  func(t *testing.T, b Backend)
}

// Run runs every case of the contract, each with a backend of its own.
func Run(t *testing.T, open func(t *testing.T) Backend) {
	for _, group := range contract {
		t.Run(group.about, func(t *testing.T) {
			for _, c := range group.cases {
				t.Run(c.name, func(t *testing.T) { c.run(t, open(t)) })
			}
		})
	}
}

// t0 is the time at which cases begin.
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

// addUser creates a user with a random name.
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

// rotate is Rotate where no error is expected.
func rotate(t failer, s store.Store, r store.Rotation) (store.Session, store.Outcome) {
	t.Helper()
	session, _, outcome, err := s.Rotate(context.Background(), r)
	noError(t, "Rotate", err)
	return session, outcome
}

func tokenState(t testing.TB, s store.Store, user store.UserID, session store.SessionID) store.TokenState {
	t.Helper()
	ref := store.TokenRef{JTI: "x", UserID: user, SessionID: session}
	return must[store.TokenState](t, "TokenState")(s.TokenState(context.Background(), ref))
}

func getUser(t testing.TB, s store.Store, id store.UserID) store.User {
	t.Helper()
	return must[store.User](t, "User")(s.User(context.Background(), id))
}

func getClient(t testing.TB, s store.Store, id string) store.Client {
	t.Helper()
	return must[store.Client](t, "Client")(s.Client(context.Background(), id))
}

func loadKeyring(t testing.TB, s store.Store) (version uint64, document []byte) {
	t.Helper()
	version, document, err := s.LoadKeyring(context.Background())
	noError(t, "LoadKeyring", err)
	return version, document
}
