package redis

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"testing"
	"time"

	"signet/store"
)

// What the proofs have in common: users, sessions, and tokens that are presented.

// begun is when every session of the proofs begins; presented is when every token is. That they do
// not pass leaves time out of what is proved: a predecessor is always inside its grace window.
var (
	begun     = time.Date(2031, 5, 6, 7, 8, 9, 123_000_000, time.UTC)
	presented = begun.Add(time.Hour)
	long      = store.Lifetimes{Idle: 30 * 24 * time.Hour, Absolute: 90 * 24 * time.Hour}
)

const app = "app"

// openUnaware returns a store that gets the hints of others, and does not look for a change of master
// by itself.
func openUnaware(t testing.TB, cfg Config) *Store {
	t.Helper()
	s := mustOpen(t, cfg)
	s.stop()
	s.running.Wait()
	ctx, cancel := context.WithCancel(context.Background())
	s.running.Go(func() { s.deps.Channel.Listen(ctx) })
	t.Cleanup(cancel)
	return s
}

func randomID() (id [16]byte) {
	rand.Read(id[:])
	return id
}

// seedUser creates a user with a name of its own.
func seedUser(t testing.TB, s store.Store) store.User {
	t.Helper()
	return seedUserAs(t, s, randomID())
}

func seedUserAs(t testing.TB, s store.Store, id store.UserID) store.User {
	t.Helper()
	u := store.User{ID: id, Username: "user-" + id.String(), PasswordHash: "first", CreatedAt: begun, UpdatedAt: begun}
	if err := s.CreateUser(t.Context(), u); err != nil {
		t.Fatalf("CreateUser: %v", err)
	}
	return u
}

func seedSession(t testing.TB, s store.Store, user store.UserID) store.Session {
	t.Helper()
	session, err := startSession(t.Context(), s, user, randomID())
	if err != nil {
		t.Fatalf("StartSession: %v", err)
	}
	return session
}

func startSession(ctx context.Context, s store.Store, user store.UserID, id store.SessionID) (store.Session, error) {
	in := store.Session{ID: id, UserID: user, ClientID: app, StartedAt: begun}
	session, _, err := s.StartSession(ctx, in, store.SessionLimits{})
	return session, err
}

func seedClient(t testing.TB, s store.Store) store.Client {
	t.Helper()
	c := store.Client{ID: fmt.Sprintf("client-%x", randomID()), Grants: []string{"password"}, CreatedAt: begun, UpdatedAt: begun}
	if err := s.CreateClient(t.Context(), c); err != nil {
		t.Fatalf("CreateClient: %v", err)
	}
	return c
}

// token is a refresh token as far as the store is concerned.
type token struct {
	user       store.UserID
	session    store.SessionID
	generation uint32
}

func tokenOf(s store.Session) token { return token{s.UserID, s.ID, s.Generation} }

// present asks for the token's successor; a retry is always inside the grace window.
func (k token) present(ctx context.Context, s store.Store) (token, store.Outcome, error) {
	r := store.Rotation{
		UserID: k.user, SessionID: k.session, ClientID: app, Generation: k.generation, Now: presented,
		Lifetimes: long, Grace: time.Minute, MaxReplays: 10_000,
	}
	session, _, o, err := s.Rotate(ctx, r)
	if err == nil && o == store.Ahead { // as the server does
		if r.Loss, err = s.Loss(ctx); err == nil {
			if !r.Loss.At.IsZero() { // these sessions are of another time than the server's
				r.Loss.At = presented.Add(time.Hour)
			}
			session, _, o, err = s.Rotate(ctx, r)
		}
	}
	if err == nil && goesOn(o) {
		k.generation = session.Generation
	}
	return k, o, err
}

// goesOn reports whether the app has got a successor.
func goesOn(o store.Outcome) bool {
	return o == store.Rotated || o == store.Replayed || o == store.Healed
}

// presentUntil presents the same token until the store answers, as an app does that is told 503.
func (k token) presentUntil(ctx context.Context, s store.Store) (next token, o store.Outcome, unavailable int, err error) {
	for {
		next, o, err = k.present(ctx, s)
		if !errors.Is(err, store.ErrUnavailable) || ctx.Err() != nil {
			return next, o, unavailable, err
		}
		unavailable++
		if pause(ctx, 20*time.Millisecond) != nil {
			return next, o, unavailable, err
		}
	}
}

// mustPresent presents a token to a store that is well.
func mustPresent(t testing.TB, s store.Store, k token) (token, store.Outcome) {
	t.Helper()
	next, o, err := k.present(t.Context(), s)
	if err != nil {
		t.Fatalf("Rotate: %v", err)
	}
	return next, o
}
