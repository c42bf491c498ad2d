package storetest

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"signet/store"
)

// informedApp is the client whose logouts are kept; "app" has none.
const informedApp = "informed"

// addInformed creates the client, and one that is not informed.
func addInformed(t testing.TB, s store.Store) {
	t.Helper()
	ctx := context.Background()
	noError(t, "CreateClient", s.CreateClient(ctx, store.Client{ID: informedApp, BackchannelLogoutURI: "https://app.example/logout"}))
	noError(t, "CreateClient", s.CreateClient(ctx, store.Client{ID: "app"}))
}

// begin begins a session of a client.
func begin(t testing.TB, s store.Store, user store.UserID, client string, at time.Time) store.Session {
	t.Helper()
	c := getClient(t, s, client)
	in := store.Session{ID: newSessionID(), UserID: user, ClientID: client, ClientEpoch: c.Epoch, StartedAt: at}
	got, _, err := s.StartSession(context.Background(), in, store.SessionLimits{})
	noError(t, "StartSession", err)
	return got
}

// later is when everything that waits is due, also for a store that dates it by its own clock.
var later = t0.Add(1000 * time.Hour)

// claimed takes all logouts out of the queue, and returns their sessions, in order.
func claimed(t testing.TB, s store.Store) (ids []store.SessionID) {
	t.Helper()
	ctx := context.Background()
	for {
		list := must[[]store.Logout](t, "ClaimLogouts")(s.ClaimLogouts(ctx, later, time.Hour, 100))
		for _, l := range list {
			ids = append(ids, l.SessionID)
			noError(t, "FinishLogout", s.FinishLogout(ctx, l))
		}
		if len(list) == 0 {
			return ordered(ids)
		}
	}
}

func ordered(ids []store.SessionID) []store.SessionID {
	slices.SortFunc(ids, func(a, b store.SessionID) int { return slices.Compare(a[:], b[:]) })
	return ids
}

// testLogouts: every end of a session but that of its lifetime is in the queue, once, with those that began from it.
func testLogouts(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	addInformed(t, s)
	ends := map[string]func(u store.User, one store.Session) error{
		"one session": func(u store.User, one store.Session) error {
			_, err := s.RevokeSession(ctx, u.ID, one.ID)
			return err
		},
		"one session, with an event": func(u store.User, one store.Session) error {
			_, err := s.RevokeSession(store.WithEvent(ctx, &store.Event{At: t0, Type: store.EventRevoke, Outcome: store.OutcomeOK}), u.ID, one.ID)
			return err
		},
		"all of the user": func(u store.User, _ store.Session) error {
			_, err := s.RevokeSessions(ctx, u.ID)
			return err
		},
		"a change of the password": func(u store.User, _ store.Session) error {
			_, err := s.UpdateUser(ctx, u.ID, func(u *store.User) error { u.SetPassword("new"); u.EndSessions(); return nil })
			return err
		},
		"a NotBefore": func(u store.User, _ store.Session) error {
			_, err := s.UpdateUser(ctx, u.ID, func(u *store.User) error { u.NotBefore = t0.Add(mi); return nil })
			return err
		},
		"deletion of the user": func(u store.User, _ store.Session) error { return s.DeleteUser(ctx, u.ID) },
		"reuse of a refresh token": func(_ store.User, one store.Session) error {
			_, outcome := rotate(t, s, rotation(one, 0, t0.Add(s1)))
			equal(t, "the first rotation", outcome, store.Rotated)
			_, outcome = rotate(t, s, rotation(one, 0, t0.Add(mi)))
			equal(t, "the second", outcome, store.Reused)
			return nil
		},
		"reuse, with an event": func(_ store.User, one store.Session) error {
			rotate(t, s, rotation(one, 0, t0.Add(s1)))
			r := rotation(one, 0, t0.Add(mi))
			r.RequestID = "r"
			_, outcome := rotate(t, s, r)
			equal(t, "the outcome", outcome, store.Reused)
			return nil
		},
		"a refresh after the user was disabled": func(u store.User, one store.Session) error {
			if _, err := s.UpdateUser(ctx, u.ID, func(u *store.User) error { u.Disabled = true; return nil }); err != nil {
				return err
			}
			_, outcome := rotate(t, s, rotation(one, 0, t0.Add(s1)))
			equal(t, "the outcome", outcome, store.Revoked)
			return nil
		},
		"the limit of sessions": func(u store.User, _ store.Session) error {
			_, _, err := s.StartSession(ctx, store.Session{ID: newSessionID(), UserID: u.ID, ClientID: "app", StartedAt: t0.Add(mi)}, store.SessionLimits{PerUser: 1})
			return err
		},
		"the limit, in a login": func(u store.User, _ store.Session) error {
			r := store.Receipt{Attempt: newAttempt(at("here", store.Limit{Key: "x", Free: 1, Window: mi}))}
			_, err := s.FinishLogin(ctx, t0, r, store.Session{ID: newSessionID(), UserID: u.ID, ClientID: "app", StartedAt: t0.Add(mi)}, store.SessionLimits{PerUser: 1})
			return err
		},
		"the limit, in a redemption": func(u store.User, _ store.Session) error {
			_, _, err := s.RedeemCode(ctx, code(u, store.SessionID{}), store.SessionLimits{PerUser: 1}, codeExpires())
			return err
		},
	}
	for name, end := range ends {
		u := addUser(t, s)
		one := begin(t, s, u.ID, informedApp, t0)
		noError(t, name, end(u, one))
		equal(t, name+": the logouts", claimed(t, s), []store.SessionID{one.ID})
		equal(t, name+": once more", len(claimed(t, s)), 0)
	}

	u := addUser(t, s)
	parent := begin(t, s, u.ID, "app", t0)
	in := code(u, parent.ID)
	in.ClientID, in.ClientEpoch = informedApp, 0
	child, other := redeem(t, s, in), begin(t, s, u.ID, "app", t0)
	must[bool](t, "RevokeSession")(s.RevokeSession(ctx, u.ID, parent.ID))
	equal(t, "the parent ends: the logouts", claimed(t, s), []store.SessionID{child.ID})
	must[bool](t, "RevokeSession")(s.RevokeSession(ctx, u.ID, other.ID))
	equal(t, "a client that is not informed", len(claimed(t, s)), 0)

	in = code(u, store.SessionID{})
	in.ClientID, in.ClientEpoch = informedApp, 0
	again := redeem(t, s, in)
	_, _, err := s.RedeemCode(ctx, in, ten, codeExpires())
	wantError(t, "RedeemCode again", err, store.ErrExists)
	equal(t, "a code that is redeemed again", claimed(t, s), []store.SessionID{again.ID})

	over := begin(t, s, u.ID, informedApp, t0)
	r := rotation(over, 0, t0.Add(month.Absolute))
	_, outcome := rotate(t, s, r)
	equal(t, "the outcome after the lifetime", outcome, store.Gone)
	begin(t, s, u.ID, informedApp, t0)
	_, err = s.Sweep(ctx, t0.Add(month.Absolute), month)
	noError(t, "Sweep", err)
	equal(t, "after the lifetime", len(claimed(t, s)), 0)
}

// testLogoutClients: the client of the moment at which the session ends decides, whenever the session began.
func testLogoutClients(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	addInformed(t, s)
	u := addUser(t, s)
	end := func(one store.Session) []store.SessionID {
		must[bool](t, "RevokeSession")(s.RevokeSession(ctx, u.ID, one.ID))
		return claimed(t, s)
	}
	set := func(client, uri string) {
		_, err := s.UpdateClient(ctx, client, func(c *store.Client) error { c.BackchannelLogoutURI = uri; return nil })
		noError(t, "UpdateClient", err)
	}
	before, after := begin(t, s, u.ID, "app", t0), begin(t, s, u.ID, informedApp, t0)
	set("app", "https://app.example/logout")
	set(informedApp, "")
	equal(t, "a client that has a URI now", end(before), []store.SessionID{before.ID})
	equal(t, "a client that has none any more", len(end(after)), 0)
	gone := begin(t, s, u.ID, "app", t0)
	noError(t, "DeleteClient", s.DeleteClient(ctx, "app", nil))
	equal(t, "a client that was deleted", len(end(gone)), 0)
}

func testLogoutQueue(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	addInformed(t, s)
	u := addUser(t, s)
	var sessions []store.SessionID
	for range 3 {
		one := begin(t, s, u.ID, informedApp, t0)
		sessions = append(sessions, one.ID)
		must[bool](t, "RevokeSession")(s.RevokeSession(ctx, u.ID, one.ID))
	}
	queue := must[store.LogoutQueue](t, "LogoutQueue")(s.LogoutQueue(ctx))
	equal(t, "the length", queue.Length, 3)
	equal(t, "the dropped", queue.Dropped, uint64(0))

	claim := func(at time.Time, limit int) []store.Logout {
		t.Helper()
		return must[[]store.Logout](t, "ClaimLogouts")(s.ClaimLogouts(ctx, at, mi, limit))
	}
	two, one := claim(later, 2), claim(later, 2)
	equal(t, "claimed", []int{len(two), len(one), len(claim(later, 2))}, []int{2, 1, 0})
	all := append(slices.Clone(two), one...)
	var got []store.SessionID
	for _, l := range all {
		got = append(got, l.SessionID)
		if l.EndedAt.IsZero() || l.EndedAt.Before(queue.Oldest) {
			t.Errorf("it ended at %s, and the oldest at %s", l.EndedAt, queue.Oldest)
		}
		l.SessionID, l.EndedAt = store.SessionID{}, time.Time{}
		equal(t, "a logout", l, store.Logout{UserID: u.ID, ClientID: informedApp, Attempts: 1})
	}
	equal(t, "the sessions", ordered(got), ordered(sessions))
	equal(t, "within the lease", len(claim(later.Add(mi-time.Millisecond), 9)), 0)

	noError(t, "FinishLogout", s.FinishLogout(ctx, all[0]))
	noError(t, "FinishLogout again", s.FinishLogout(ctx, all[0]))
	noError(t, "PostponeLogout of what is not there", s.PostponeLogout(ctx, all[0], later, 0))
	noError(t, "PostponeLogout", s.PostponeLogout(ctx, all[1], later, time.Hour))
	again := claim(later.Add(mi), 9)
	equal(t, "after the lease", len(again), 1)
	equal(t, "its attempts", again[0].Attempts, 2)
	equal(t, "its session", again[0].SessionID, all[2].SessionID)
	noError(t, "PostponeLogout of an earlier claim", s.PostponeLogout(ctx, all[2], later, 0))
	equal(t, "after it", len(claim(later.Add(mi), 9)), 0)
	noError(t, "FinishLogout of an earlier claim", s.FinishLogout(ctx, all[2]))
	equal(t, "postponed", len(claim(later.Add(time.Hour-time.Millisecond), 9)), 0)
	last := claim(later.Add(time.Hour), 9)
	equal(t, "when it is due", len(last), 1)
	noError(t, "FinishLogout", s.FinishLogout(ctx, last[0]))
	equal(t, "the queue", must[store.LogoutQueue](t, "LogoutQueue")(s.LogoutQueue(ctx)), store.LogoutQueue{})
}

// testLogoutsReopen: logouts, leases and counts survive a restart.
func testLogoutsReopen(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	addInformed(t, s)
	u := addUser(t, s)
	for range 2 {
		one := begin(t, s, u.ID, informedApp, t0)
		must[bool](t, "RevokeSession")(s.RevokeSession(ctx, u.ID, one.ID))
	}
	before := must[[]store.Logout](t, "ClaimLogouts")(s.ClaimLogouts(ctx, later, mi, 1))
	queue := must[store.LogoutQueue](t, "LogoutQueue")(s.LogoutQueue(ctx))
	s = b.Reopen(t)
	equal(t, "the queue", must[store.LogoutQueue](t, "LogoutQueue")(s.LogoutQueue(ctx)), queue)
	within := must[[]store.Logout](t, "ClaimLogouts")(s.ClaimLogouts(ctx, later, mi, 9))
	equal(t, "within the lease", len(within), 1)
	after := must[[]store.Logout](t, "ClaimLogouts")(s.ClaimLogouts(ctx, later.Add(mi), mi, 9))
	equal(t, "after it", len(after), 2)
	i := slices.IndexFunc(after, func(l store.Logout) bool { return l.SessionID == before[0].SessionID })
	equal(t, "the attempts", after[i].Attempts, 2)
	// A client that this one has never changed is informed as well.
	one := begin(t, s, u.ID, informedApp, t0)
	must[bool](t, "RevokeSession")(s.RevokeSession(ctx, u.ID, one.ID))
	equal(t, "the length", must[store.LogoutQueue](t, "LogoutQueue")(s.LogoutQueue(ctx)).Length, 3)
}

// testLogoutRace: within a lease each logout is claimed once.
func testLogoutRace(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	addInformed(t, s)
	u := addUser(t, s)
	const n = 16
	for range n {
		begin(t, s, u.ID, informedApp, t0)
	}
	equal(t, "ended", must[int](t, "RevokeSessions")(s.RevokeSessions(ctx, u.ID)), n)
	var mu sync.Mutex
	times := map[store.SessionID]int{}
	var all sync.WaitGroup
	for range 64 {
		all.Go(func() {
			list, err := s.ClaimLogouts(ctx, later, time.Hour, 3)
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				t.Errorf("ClaimLogouts: %v", err)
			}
			for _, l := range list {
				times[l.SessionID]++
			}
		})
	}
	all.Wait()
	equal(t, "claimed", len(times), n)
	for id, n := range times {
		equal(t, fmt.Sprint("claims of ", id), n, 1)
	}
}

// testLogoutsDropped: the queue has a bound. The oldest are dropped and counted, whether they are claimed or not.
func testLogoutsDropped(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Bound(t, 3)
	addInformed(t, s)
	u := addUser(t, s)
	end := func() store.SessionID {
		one := begin(t, s, u.ID, informedApp, t0)
		must[bool](t, "RevokeSession")(s.RevokeSession(ctx, u.ID, one.ID))
		return one.ID
	}
	var ids []store.SessionID
	for range 5 {
		ids = append(ids, end())
		if len(ids) == 2 {
			must[[]store.Logout](t, "ClaimLogouts")(s.ClaimLogouts(ctx, later, mi, 9))
		}
		waitMillis() // those of one millisecond have no order
	}
	queue := must[store.LogoutQueue](t, "LogoutQueue")(s.LogoutQueue(ctx))
	equal(t, "the length", queue.Length, 3)
	equal(t, "the dropped", queue.Dropped, uint64(2))
	var got []store.SessionID
	for _, l := range must[[]store.Logout](t, "ClaimLogouts")(s.ClaimLogouts(ctx, later, mi, 9)) {
		got = append(got, l.SessionID)
	}
	equal(t, "what is left", ordered(got), ordered(ids[2:]))
}

// waitMillis returns in another millisecond.
func waitMillis() {
	for now := time.Now().UnixMilli(); time.Now().UnixMilli() <= now+1; {
		time.Sleep(time.Millisecond)
	}
}
