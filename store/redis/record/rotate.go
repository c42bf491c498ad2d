package record

import (
	"context"

	"signet/store"
	"signet/store/codec"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
	"signet/store/redis/script"
	"signet/store/redis/trail"
)

// Rotate implements store.Sessions, in one round trip, or in two where the outcome has an audit event. The decision is that of store.Decide, in
// rotate.lua.
func (s *Sessions) Rotate(ctx context.Context, r store.Rotation) (store.Session, store.User, store.Outcome, error) {
	if s.Revocations.HasSession(r.SessionID) { // a master that has lost the revocation does not bring it back to life
		return store.Session{}, store.User{}, store.Gone, nil
	}
	if s.Codec.Format() < store.Format2 {
		r.Late, r.ClientEpoch = 0, 0
	}
	rotate, err := s.sendRotation(ctx, r)
	if err != nil {
		return store.Session{}, store.User{}, store.Gone, err
	}
	word, records := rotate.Outcome()
	outcome, known := script.RotateOutcomes[word]
	if !known {
		return store.Session{}, store.User{}, store.Gone, conn.UnexpectedReply("rotating a session", word)
	}
	switch {
	case outcome.GoesOn():
		return s.rotated(ctx, r, outcome, records)
	case outcome == store.Reused, outcome == store.Revoked:
		var malformed error
		if records, malformed = s.queueBehind(ctx, r.UserID, records, 1); malformed != nil {
			return store.Session{}, store.User{}, store.Gone, malformed
		}
		// The session has ended; that must not be lost with the master either. A repetition after a
		// missing confirmation finds nothing to end, so it is remembered first.
		s.Revocations.SessionEnded(r.UserID, r.SessionID)
		if _, err := s.RevokeSession(ctx, r.UserID, r.SessionID); err != nil {
			return store.Session{}, store.User{}, store.Gone, err
		}
	}
	if outcome == store.Reused && len(records) == 1 {
		was, err := codec.DecodeSession(r.UserID, r.SessionID, []byte(records[0]), r.ClientID)
		if err != nil {
			return store.Session{}, store.User{}, store.Gone, conn.Malformed("session "+r.SessionID.String(), err)
		}
		return was, store.User{}, outcome, nil
	}
	return store.Session{}, store.User{}, outcome, nil
}

// sendRotation asks once more, with the event and the clients that are informed, where the outcome of a rotation has use for them.
func (s *Sessions) sendRotation(ctx context.Context, r store.Rotation) (*conn.Call, error) {
	keys := s.Key.UserAndSessions(r.UserID)
	args := append(make([]any, 0, 18), r.SessionID[:], r.ClientID, r.Generation, s.Clock.Argument(r.Now),
		script.CeilMillis(r.Lifetimes.Idle), script.CeilMillis(r.Lifetimes.Absolute),
		r.Grace.Milliseconds(), r.MaxReplays, script.Millis(r.NotBefore), s.Codec.Format(),
		r.Late.Milliseconds(), r.ClientEpoch, script.OneIf(r.ClientConfirmed), codec.SessionOrigin(r.Address, 0, r.ClientID),
		script.Millis(r.Loss.At), store.HealWithin.Milliseconds())
	informed := s.Logouts.Informed()
	if r.RequestID == "" && informed == "" {
		args = append(args, informed, script.NoEvent)
	}
	rotate := script.Rotate.Call(keys, args...)
	err := s.Conn.Do(ctx, "rotating a session", rotate)
	if word, _ := rotate.Outcome(); err == nil && word == "again" {
		rotate = script.Rotate.Call(append(keys, s.Key.Outbox(layout.UserTag(r.UserID))), append(args, informed, trail.RotationEntry(r))...)
		rotate.LastKeyOptional()
		err = s.Conn.Do(ctx, "rotating a session", rotate)
	}
	return rotate, err
}

func (s *Sessions) rotated(ctx context.Context, r store.Rotation, o store.Outcome, records []string) (store.Session, store.User, store.Outcome, error) {
	session, u, err := s.decodeBoth(store.Session{ID: r.SessionID, UserID: r.UserID, ClientID: r.ClientID}, records)
	if err != nil {
		return store.Session{}, store.User{}, store.Gone, err
	}
	if s.hasEnded(session) { // as above, of all of a user's sessions, or of the one that it began from
		_, err := s.RevokeSession(ctx, r.UserID, r.SessionID)
		return store.Session{}, store.User{}, store.Revoked, err
	}
	return session, u, o, nil
}
