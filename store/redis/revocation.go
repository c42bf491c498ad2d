package redis

import (
	"context"
	"errors"
	"time"

	"signet/store"
	"signet/store/codec"
)

// RevokeToken implements store.Revocations. The mark goes by itself when it no longer matters.
func (s *Store) RevokeToken(ctx context.Context, jti string, until time.Time) error {
	if jti == "" || len(jti) > maxName {
		return errors.New("revoking a token: its jti is empty or too long")
	}
	left := time.Until(until).Milliseconds()
	if left <= 0 {
		return s.ready(ctx)
	}
	key := s.key.revoked(jti)
	revoke, err := s.keep(ctx, revokeTokenScript, []string{key}, left)
	if err != nil {
		return err
	}
	err = s.doAndTell(ctx, "revoking a token", ended{JTI: jti, NotBefore: until}.message(), revoke)
	if revoke.cmd != nil && sent(revoke.cmd.Err()) {
		s.journal.tokenRevoked(jti, until)
	}
	revoke.kept(err == nil && revoke.number() == 1)
	return err
}

// TokenState implements store.Revocations, in one round trip.
func (s *Store) TokenState(ctx context.Context, ref store.TokenRef) (store.TokenState, error) {
	var calls []*call
	ask := func(key string, args ...any) *call {
		c := command(key, args...)
		calls = append(calls, c)
		return c
	}
	revoked := ask(s.key.revoked(ref.JTI), "exists", s.key.revoked(ref.JTI))
	var user, session *call
	if !ref.UserID.IsZero() {
		key := s.key.user(ref.UserID)
		user = ask(key, "get", key)
	}
	if !ref.SessionID.IsZero() {
		session = ask(s.key.user(ref.UserID), "hget", s.key.sessions(ref.UserID), ref.SessionID[:])
	}
	if err := s.do(ctx, "looking up a token", calls...); err != nil {
		return store.TokenState{}, err
	}
	state := store.TokenState{Revoked: revoked.number() != 0 || s.journal.hasToken(ref.JTI), Live: true}
	if err := s.readTokenUser(&state, ref, user); err != nil {
		return store.TokenState{}, err
	}
	if err := s.readTokenSession(&state, ref, session); err != nil {
		return store.TokenState{}, err
	}
	return state, nil
}

func (s *Store) readTokenUser(state *store.TokenState, ref store.TokenRef, user *call) error {
	if user == nil {
		return nil
	}
	raw, found := user.text()
	if !found {
		state.Live = false
		return nil
	}
	u, err := s.decodeUser(ref.UserID, raw)
	if err != nil {
		return s.malformed("user "+ref.UserID.String(), err)
	}
	state.User = u
	return nil
}

func (s *Store) readTokenSession(state *store.TokenState, ref store.TokenRef, session *call) (err error) {
	if session == nil {
		return nil
	}
	raw, found := session.text()
	if !found || s.journal.hasSession(ref.SessionID) {
		state.Live = false
		return nil
	}
	if state.Session, err = codec.DecodeSession(ref.UserID, ref.SessionID, []byte(raw), ""); err != nil {
		return s.malformed("session "+ref.SessionID.String(), err)
	}
	if s.journal.hasEnded(state.Session) {
		state.Live, state.Session = false, store.Session{}
	}
	return nil
}
