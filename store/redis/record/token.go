package record

import (
	"context"
	"errors"
	"time"

	"signet/store"
	"signet/store/codec"
	"signet/store/redis/conn"
	"signet/store/redis/replica"
	"signet/store/redis/revocation"
	"signet/store/redis/script"
)

// RevokeToken implements store.Revocations. The mark goes by itself when it no longer matters.
func (s *Sessions) RevokeToken(ctx context.Context, jti string, until time.Time) error {
	if jti == "" || len(jti) > maxName {
		return errors.New("revoking a token: its jti is empty or too long")
	}
	left := time.Until(until).Milliseconds()
	if left <= 0 {
		return s.Conn.Ready(ctx)
	}
	key := s.Key.Revoked(jti)
	revoke := s.Trail.Call(ctx, script.RevokeToken, []string{key}, left)
	err := s.Channel.DoAndNotify(ctx, "revoking a token", replica.Ended(revocation.Ended{JTI: jti, NotBefore: until}), revoke.Call)
	if revoke.MayHaveRun() {
		s.Revocations.TokenRevoked(jti, until)
	}
	revoke.Kept(err == nil && revoke.Number() == 1)
	return err
}

// TokenState implements store.Revocations, in one round trip.
func (s *Sessions) TokenState(ctx context.Context, ref store.TokenRef) (store.TokenState, error) {
	var calls []*conn.Call
	ask := func(key string, args ...any) *conn.Call {
		c := conn.Command(key, args...)
		calls = append(calls, c)
		return c
	}
	revoked := ask(s.Key.Revoked(ref.JTI), "exists", s.Key.Revoked(ref.JTI))
	var user, session *conn.Call
	if !ref.UserID.IsZero() {
		key := s.Key.User(ref.UserID)
		user = ask(key, "get", key)
	}
	if !ref.SessionID.IsZero() {
		session = ask(s.Key.User(ref.UserID), "hget", s.Key.Sessions(ref.UserID), ref.SessionID[:])
	}
	if err := s.Conn.Do(ctx, "looking up a token", calls...); err != nil {
		return store.TokenState{}, err
	}
	state := store.TokenState{Revoked: revoked.Number() != 0 || s.Revocations.HasToken(ref.JTI), Live: true}
	if err := s.readTokenUser(&state, ref, user); err != nil {
		return store.TokenState{}, err
	}
	if err := s.readTokenSession(&state, ref, session); err != nil {
		return store.TokenState{}, err
	}
	return state, nil
}

func (s *Sessions) readTokenUser(state *store.TokenState, ref store.TokenRef, user *conn.Call) error {
	if user == nil {
		return nil
	}
	raw, found := user.Text()
	if !found {
		state.Live = false
		return nil
	}
	u, err := s.Codec.DecodeUser(ref.UserID, raw)
	if err != nil {
		return conn.Malformed("user "+ref.UserID.String(), err)
	}
	state.User = u
	return nil
}

func (s *Sessions) readTokenSession(state *store.TokenState, ref store.TokenRef, session *conn.Call) (err error) {
	if session == nil {
		return nil
	}
	raw, found := session.Text()
	if !found || s.Revocations.HasSession(ref.SessionID) {
		state.Live = false
		return nil
	}
	if state.Session, err = codec.DecodeSession(ref.UserID, ref.SessionID, []byte(raw), ""); err != nil {
		return conn.Malformed("session "+ref.SessionID.String(), err)
	}
	if s.hasEnded(state.Session) {
		state.Live, state.Session = false, store.Session{}
	}
	return nil
}
