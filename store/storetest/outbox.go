package storetest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"signet/store"
)

// recorded is a change under an event, with the type and subject that its event has on the trail.
type recorded struct {
	name  string
	event store.Event // of WithEvent; zero: the change is a rotation, and outbox is its entry
	do    func(ctx context.Context) error

	want   store.Event // of a rotation
	outbox string
}

// recordedChanges returns one change of every kind that can have an event, and creates the records that they need.
func recordedChanges(t *testing.T, s store.Store) []recorded {
	ctx := context.Background()
	ada, bob, eve := addUser(t, s), addUser(t, s), addUser(t, s)
	one, two := addSession(t, s, ada.ID, t0), addSession(t, s, ada.ID, t0)
	noError(t, "CreateClient", s.CreateClient(ctx, store.Client{ID: "old"}))
	noError(t, "CreateClient", s.CreateClient(ctx, store.Client{ID: "web"}))
	fresh := func() store.Session {
		return store.Session{ID: newSessionID(), UserID: bob.ID, ClientID: "app", StartedAt: t0}
	}
	var all []recorded
	add := func(name, typ string, do func(ctx context.Context) error) {
		e := store.Event{At: t0, Type: typ, Outcome: store.OutcomeOK, Actor: "admin", Subject: name, RequestID: "r " + name, Address: "192.0.2.7",
			Detail: map[string]string{store.DetailUsername: "<ada> & co"}}
		all = append(all, recorded{name: name, event: e, do: do})
	}
	add("create a client", store.EventClientCreate, func(ctx context.Context) error { return s.CreateClient(ctx, store.Client{ID: "new"}) })
	add("update a client", store.EventClientDisable, func(ctx context.Context) error {
		_, err := s.UpdateClient(ctx, "web", func(c *store.Client) error { c.Disabled = true; c.EndSessions(); return nil })
		return err
	})
	add("delete a client", store.EventClientDelete, func(ctx context.Context) error { return s.DeleteClient(ctx, "old", nil) })
	add("create a user", store.EventUserCreate, func(ctx context.Context) error {
		return s.CreateUser(ctx, store.User{ID: newUserID(), Username: "user-" + randomName(), CreatedAt: t0, UpdatedAt: t0})
	})
	add("update a user", store.EventUserSetPassword, func(ctx context.Context) error {
		_, err := s.UpdateUser(ctx, bob.ID, func(u *store.User) error { u.PasswordHash = "new"; u.EndSessions(); return nil })
		return err
	})
	add("delete a user", store.EventUserDelete, func(ctx context.Context) error { return s.DeleteUser(ctx, eve.ID) })
	add("revoke a session", store.EventSessionRevoke, func(ctx context.Context) error {
		_, err := s.RevokeSession(ctx, ada.ID, one.ID)
		return err
	})
	add("revoke all sessions", store.EventSessionRevokeAll, func(ctx context.Context) error {
		_, err := s.RevokeSessions(ctx, bob.ID)
		return err
	})
	add("start a session", store.EventLogin, func(ctx context.Context) error {
		_, _, err := s.StartSession(ctx, fresh(), ten)
		return err
	})
	add("finish a login", store.EventLogin, func(ctx context.Context) error {
		_, err := s.FinishLogin(ctx, t0, store.Receipt{Attempt: newAttempt(at("here", store.Limit{Key: "x", Free: 1, Window: mi}))}, fresh(), ten)
		return err
	})
	add("revoke a token", store.EventRevoke, func(ctx context.Context) error { return s.RevokeToken(ctx, "jti-"+randomName(), t0.Add(time.Hour)) })
	add("swap the keyring", store.EventKeysRevoke, func(ctx context.Context) error {
		_, err := s.SwapKeyring(ctx, 0, 1, []byte("one"))
		return err
	})
	return append(all, recordedRotations(t, s, two)...)
}

// recordedRotations returns a rotation for each outcome that has an event. The last ends the session.
func recordedRotations(t *testing.T, s store.Store, session store.Session) (all []recorded) {
	address := netip.MustParseAddr("2001:db8:1:2:3:4:5:6")
	add := func(session store.Session, o store.Outcome, generation uint32, now time.Time, prepare func() error) {
		r := rotation(session, generation, now)
		r.RequestID, r.Address, r.Late, r.ClientEpoch = "r "+o.String(), address, mi, session.ClientEpoch
		want := store.Event{Subject: session.UserID.String(), SessionID: session.ID.String(), ClientID: session.ClientID, RequestID: r.RequestID,
			Address: address.String()}
		want.Type, want.Outcome, _ = o.Event()
		all = append(all, recorded{name: "rotate: " + o.String(), want: want, outbox: r.Outbox(), do: func(ctx context.Context) error {
			if err := prepare(); err != nil {
				return err
			}
			_, _, got, err := s.Rotate(ctx, r)
			if err == nil && got != o {
				err = fmt.Errorf("the outcome is %s", got)
			}
			return err
		}})
	}
	silent := func(o store.Outcome, generation uint32, now time.Time) func() error { // its outcome has no event
		return func() error {
			r := rotation(session, generation, now)
			r.RequestID = "r silent " + o.String()
			_, _, got, err := s.Rotate(context.Background(), r)
			if err == nil && got != o {
				err = fmt.Errorf("the outcome is %s", got)
			}
			return err
		}
	}
	if s.Format() >= store.Format2 {
		add(session, store.Late, 0, t0.Add(s1+20*time.Second), silent(store.Rotated, 0, t0.Add(s1)))
	}
	add(session, store.Healed, 9, t0.Add(mi), silent(store.Ahead, 9, t0.Add(48*time.Hour+store.HealWithin)))
	add(session, store.Reused, 1, t0.Add(mi+s1), silent(store.Replayed, 9, t0.Add(mi)))
	gone := addSession(t, s, addUser(t, s).ID, t0)
	add(gone, store.Revoked, 0, t0.Add(s1), func() error {
		_, err := s.UpdateUser(context.Background(), gone.UserID, func(u *store.User) error { u.Disabled = true; return nil })
		return err
	})
	return all
}

// trailOf opens the store again, as after a crash, and returns the whole trail by request id.
func trailOf(t *testing.T, b Backend) map[string][]store.Event {
	t.Helper()
	ctx, s := context.Background(), b.Reopen(t)
	for range 5 {
		_, err := s.Sweep(ctx, t0.Add(time.Hour), month)
		noError(t, "Sweep", err)
	}
	byRequest := map[string][]store.Event{}
	for _, e := range must[[]store.Event](t, "Events")(s.Events(ctx, store.EventQuery{Limit: 1000})) {
		byRequest[e.RequestID] = append(byRequest[e.RequestID], e)
	}
	return byRequest
}

// keep makes the change and returns its event.
func (c recorded) keep(t *testing.T) store.Event {
	t.Helper()
	e := c.event
	if e.Type == "" {
		noError(t, c.name, c.do(context.Background()))
		e = c.want
		e.Outbox = c.outbox
		return e
	}
	noError(t, c.name, c.do(store.WithEvent(context.Background(), &e)))
	if e.Outbox == "" {
		t.Errorf("%s: its event was not kept", c.name)
	}
	return e
}

// testOutboxCrash: the process ends before it appends the events. After the restart all are on the trail.
func testOutboxCrash(t *testing.T, b Backend) {
	var want []store.Event
	for _, c := range recordedChanges(t, b.Store) {
		want = append(want, c.keep(t))
	}
	trail := trailOf(t, b)
	for _, e := range want {
		got := trail[e.RequestID]
		if len(got) != 1 {
			t.Errorf("%s: got %+v, want one event", e.RequestID, got)
			continue
		}
		e.Seq, e.Outbox = got[0].Seq, ""
		if e.At.IsZero() {
			if got[0].At.IsZero() {
				t.Errorf("%s: its event has no time", e.RequestID)
			}
			e.At = got[0].At
		}
		equal(t, e.RequestID, got[0], e)
	}
	equal(t, "events", len(trail), len(want))
}

// testOutboxAppended: the events are appended, with more detail, and are on the trail once.
func testOutboxAppended(t *testing.T, b Backend) {
	ctx := context.Background()
	changes := recordedChanges(t, b.Store)
	for _, c := range changes {
		e := c.keep(t)
		e.Detail = map[string]string{"detail": "more"}
		noError(t, "AppendEvents", b.Store.AppendEvents(ctx, []store.Event{e}))
	}
	trail := trailOf(t, b)
	for request, got := range trail {
		if len(got) != 1 || got[0].Detail["detail"] != "more" {
			t.Errorf("%s: got %+v, want one event, the whole one", request, got)
		}
	}
	equal(t, "events", len(trail), len(changes))
}

// testOutboxSeveral: a change may have several events.
func testOutboxSeveral(t *testing.T, b Backend) {
	ctx := context.Background()
	var events [3]store.Event
	for i := range events {
		events[i] = store.Event{At: t0, Type: store.EventKeysRevoke, Outcome: store.OutcomeOK, RequestID: fmt.Sprint("r", i),
			Detail: map[string]string{"text": "a line\nbreak"}}
		ctx = store.WithEvent(ctx, &events[i])
	}
	must[bool](t, "SwapKeyring")(b.Store.SwapKeyring(ctx, 0, 1, []byte("one")))
	noError(t, "AppendEvents", b.Store.AppendEvents(context.Background(), events[:1]))
	noError(t, "DropEvents", b.Store.DropEvents(context.Background(), []string{events[1].Outbox}))
	trail := trailOf(t, b)
	for i, want := range []int{1, 0, 1} {
		equal(t, fmt.Sprint("event ", i), len(trail[fmt.Sprint("r", i)]), want)
	}
	equal(t, "the text", trail["r2"][0].Detail["text"], "a line\nbreak")
}

// testOutboxTwice: an event that has reached the trail by itself is not appended again.
func testOutboxTwice(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	e := store.Event{At: t0, Type: store.EventLogin, Outcome: store.OutcomeOK, RequestID: "r"}
	noError(t, "KeepEvent", s.KeepEvent(ctx, &e))
	name := e.Outbox
	noError(t, "KeepEvent again", s.KeepEvent(ctx, &e))
	equal(t, "the entry", e.Outbox, name)
	for range 5 {
		_, err := s.Sweep(ctx, t0.Add(time.Hour), month)
		noError(t, "Sweep", err)
	}
	noError(t, "AppendEvents", s.AppendEvents(ctx, []store.Event{e}))
	noError(t, "AppendEvents", s.AppendEvents(ctx, []store.Event{e}))
	equal(t, "events", len(trailOf(t, b)["r"]), 1)
}

// testOutboxDropped: neither an event that was dropped nor that of a change that was not made reaches the trail.
func testOutboxDropped(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	var dropped []string
	for _, c := range recordedChanges(t, s) {
		dropped = append(dropped, c.keep(t).Outbox)
	}
	noError(t, "DropEvents", s.DropEvents(ctx, dropped))

	u := addUser(t, s)
	boom := errors.New("boom")
	for name, do := range map[string]func(ctx context.Context) error{
		"a session that is not there": func(ctx context.Context) error {
			existed, err := s.RevokeSession(ctx, u.ID, newSessionID())
			equal(t, "existed", existed, false)
			return err
		},
		"a name that is taken": func(ctx context.Context) error {
			return ignore(store.ErrExists, s.CreateUser(ctx, store.User{ID: newUserID(), Username: u.Username}))
		},
		"a change that is refused": func(ctx context.Context) error {
			_, err := s.UpdateUser(ctx, u.ID, func(*store.User) error { return boom })
			return ignore(boom, err)
		},
		"a user who is not there": func(ctx context.Context) error { return ignore(store.ErrNotFound, s.DeleteUser(ctx, newUserID())) },
		"a client that is there": func(ctx context.Context) error {
			return ignore(store.ErrExists, s.CreateClient(ctx, store.Client{ID: "web"}))
		},
		"a keyring that has another version": func(ctx context.Context) error {
			swapped, err := s.SwapKeyring(ctx, 7, 8, []byte("eight"))
			equal(t, "swapped", swapped, false)
			return err
		},
	} {
		e := store.Event{At: t0, Type: store.EventLogin, Outcome: store.OutcomeOK, RequestID: name}
		noError(t, name, do(store.WithEvent(ctx, &e)))
		equal(t, name+": its entry", e.Outbox, "")
	}
	equal(t, "the trail", trailOf(t, b), map[string][]store.Event{})
}

// ignore returns nil for the error that is wanted.
func ignore(wanted, err error) error {
	if errors.Is(err, wanted) {
		return nil
	}
	return fmt.Errorf("got %w, want %w", err, wanted)
}
