package storetest

import (
	"context"
	"errors"
	"testing"

	"signet/store"
)

// testFaultBefore: a write that fails before its commit changes nothing.
func testFaultBefore(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	session, kept, clear := failing(t, b, BeforeCommit)
	_, _, _, err := s.Rotate(ctx, rotation(session, 0, t0.Add(s1)))
	wantError(t, "Rotate", err, store.ErrUnavailable)
	_, err = s.RevokeSessions(ctx, session.UserID)
	wantError(t, "RevokeSessions", err, store.ErrUnavailable)
	swapped, err := s.SwapKeyring(ctx, 1, 2, []byte("two"))
	wantError(t, "SwapKeyring", err, store.ErrUnavailable)
	equal(t, "swapped", swapped, false)
	wantError(t, "CreateUser", s.CreateUser(ctx, store.User{ID: newUserID(), Username: "new"}), store.ErrUnavailable)
	assertion := newAssertionID()
	wantUnknown(t, "UseAssertion", s.UseAssertion(ctx, assertion, t0))
	equal(t, "reading meanwhile", getUser(t, s, kept.ID), kept)

	clear()
	noError(t, "CreateUser once it works again", s.CreateUser(ctx, store.User{ID: newUserID(), Username: "new"}))
	noError(t, "UseAssertion, the retry", s.UseAssertion(ctx, assertion, t0))
	noError(t, "Ping", s.Ping(ctx))
	equal(t, "sessions", sessions(t, s, session.UserID, t0), []store.Session{session})
	_, o := rotate(t, s, rotation(session, 0, t0.Add(2*s1)))
	equal(t, "the retry", o, store.Rotated)
	version, _ := loadKeyring(t, s)
	equal(t, "keyring version", version, uint64(1))
}

// testFaultAfter: where the write is durable and its answer was lost, the retry finds it.
func testFaultAfter(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	session, _, clear := failing(t, b, AfterCommit)
	_, _, _, err := s.Rotate(ctx, rotation(session, 0, t0.Add(s1)))
	wantError(t, "Rotate", err, store.ErrUnavailable)
	_, err = s.SwapKeyring(ctx, 1, 2, []byte("two"))
	wantError(t, "SwapKeyring", err, store.ErrUnavailable)
	wantError(t, "CreateClient", s.CreateClient(ctx, store.Client{ID: "app"}), store.ErrUnavailable)
	assertion := newAssertionID()
	wantUnknown(t, "UseAssertion", s.UseAssertion(ctx, assertion, t0))

	clear()
	got, o := rotate(t, s, rotation(session, 0, t0.Add(2*s1)))
	equal(t, "the retry", o, store.Replayed)
	equal(t, "its generation", got.Generation, uint32(1))
	version, document := loadKeyring(t, s)
	equal(t, "keyring version", version, uint64(2))
	equal(t, "keyring", string(document), "two")
	wantError(t, "UseAssertion, the retry", s.UseAssertion(ctx, assertion, t0), store.ErrExists)
	wantError(t, "CreateClient again", s.CreateClient(ctx, store.Client{ID: "app"}), store.ErrExists)
}

// wantUnknown: whether the assertion was used is unknown, so the error must not be ErrExists.
func wantUnknown(t *testing.T, what string, err error) {
	t.Helper()
	wantError(t, what, err, store.ErrUnavailable)
	if errors.Is(err, store.ErrExists) {
		t.Errorf("%s: got %v, which is ErrExists too", what, err)
	}
}

func failing(t *testing.T, b Backend, at Fault) (store.Session, store.User, func()) {
	if b.Fault == nil {
		t.Skip("the backend cannot be made to fail")
	}
	u := addUser(t, b.Store)
	session := addSession(t, b.Store, u.ID, t0)
	must[bool](t, "SwapKeyring")(b.Store.SwapKeyring(context.Background(), 0, 1, []byte("one")))
	warmUp(t, b.Store)
	return session, u, b.Fault(t, at)
}

// warmUp makes the calls that are going to fail once before, so that what a backend sets up at the first call is there.
func warmUp(t *testing.T, s store.Store) {
	noError(t, "CreateClient", s.CreateClient(context.Background(), store.Client{ID: "warm"}))
	other := addSession(t, s, addUser(t, s).ID, t0)
	rotate(t, s, rotation(other, 0, t0))
}

func testCancelled(t *testing.T, b Backend) {
	s := b.Store
	u := addUser(t, s)
	session := addSession(t, s, u.ID, t0)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	for name, err := range calls(ctx, s, session) {
		if !errors.Is(err, context.Canceled) || !errors.Is(err, store.ErrUnavailable) {
			t.Errorf("%s: got %v, want ErrUnavailable and the context's error", name, err)
		}
	}
	equal(t, "the session afterwards", sessions(t, s, u.ID, t0), []store.Session{session})
	equal(t, "the user afterwards", getUser(t, s, u.ID), u)
}

func testClosed(t *testing.T, b Backend) {
	s := b.Store
	session := addSession(t, s, addUser(t, s).ID, t0)
	noError(t, "Close", s.Close())
	noError(t, "Close again", s.Close())
	for name, err := range calls(context.Background(), s, session) {
		wantError(t, name+" of a closed store", err, store.ErrUnavailable)
	}
}

// calls makes one call of each kind and returns their errors.
func calls(ctx context.Context, s store.Store, session store.Session) map[string]error {
	errs := map[string]error{}
	_, _, _, errs["Rotate"] = s.Rotate(ctx, rotation(session, 0, t0))
	_, _, errs["StartSession"] = s.StartSession(ctx, store.Session{ID: newSessionID(), UserID: session.UserID, ClientID: "app", StartedAt: t0}, store.SessionLimits{PerUser: 9})
	_, errs["RevokeSession"] = s.RevokeSession(ctx, session.UserID, session.ID)
	_, errs["RevokeSessions"] = s.RevokeSessions(ctx, session.UserID)
	_, errs["ListSessions"] = s.ListSessions(ctx, session.UserID, t0, month)
	_, errs["User"] = s.User(ctx, session.UserID)
	_, errs["UserByName"] = s.UserByName(ctx, "x")
	_, errs["UpdateUser"] = s.UpdateUser(ctx, session.UserID, func(u *store.User) error { u.Disabled = true; return nil })
	errs["CreateUser"] = s.CreateUser(ctx, store.User{ID: newUserID(), Username: "x"})
	errs["DeleteUser"] = s.DeleteUser(ctx, session.UserID)
	_, errs["Client"] = s.Client(ctx, "x")
	errs["CreateClient"] = s.CreateClient(ctx, store.Client{ID: "x"})
	_, errs["ListClients"] = s.ListClients(ctx, "", 1)
	_, errs["Install"] = s.Install(ctx)
	errs["CreateInstall"] = s.CreateInstall(ctx, store.Install{ID: "x"})
	_, _, errs["LoadKeyring"] = s.LoadKeyring(ctx)
	_, errs["SwapKeyring"] = s.SwapKeyring(ctx, 0, 1, nil)
	errs["RevokeToken"] = s.RevokeToken(ctx, "x", t0)
	errs["UseAssertion"] = s.UseAssertion(ctx, newAssertionID(), t0)
	_, errs["TokenState"] = s.TokenState(ctx, store.TokenRef{JTI: "x"})
	a := newAttempt(at("here", store.Limit{Key: "x", Free: 1, Window: mi}))
	_, errs["Allow"] = s.Allow(ctx, t0, a)
	_, errs["Count"] = s.Count(ctx, t0, a.Scopes[0])
	_, errs["Fail"] = s.Fail(ctx, t0, store.Receipt{Attempt: a})
	errs["Refund"] = s.Refund(ctx, t0, store.Receipt{Attempt: a})
	errs["ClearThrottle"] = s.ClearThrottle(ctx, "here", []string{"x"})
	_, errs["ListThrottle"] = s.ListThrottle(ctx, t0, func(_, _ string) bool { return true }, 1)
	_, _, errs["BeginLogin"] = s.BeginLogin(ctx, t0, a, "x")
	_, errs["FinishLogin"] = s.FinishLogin(ctx, t0, store.Receipt{Attempt: a}, store.Session{ID: newSessionID(), UserID: session.UserID, ClientID: "app", StartedAt: t0}, ten)
	_, errs["ClientsVersion"] = s.ClientsVersion(ctx)
	errs["AppendEvents"] = s.AppendEvents(ctx, []store.Event{{Type: "x"}})
	errs["KeepEvent"] = s.KeepEvent(ctx, &store.Event{Type: "x"})
	errs["DropEvents"] = s.DropEvents(ctx, []string{"x"})
	_, errs["Events"] = s.Events(ctx, store.EventQuery{})
	errs["Beat"] = s.Beat(ctx, store.Heartbeat{Replica: "x", At: t0}, mi)
	_, errs["Beats"] = s.Beats(ctx, t0)
	_, errs["Sweep"] = s.Sweep(ctx, t0, month)
	errs["Ping"] = s.Ping(ctx)
	return errs
}
