package record

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"signet/store"
	"signet/store/codec"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
	"signet/store/redis/replica"
	"signet/store/redis/revocation"
	"signet/store/redis/script"
)

// RedeemCode implements store.Sessions, in one round trip. The last loss, in another slot, is read in the same one: where it shows
// that the code may have been redeemed before, what has begun ends again.
func (s *Sessions) RedeemCode(ctx context.Context, in store.Session, b store.SessionLimits, until time.Time) (store.Session, store.User, error) {
	if in.ID.IsZero() || in.UserID.IsZero() || in.ClientID == "" {
		return store.Session{}, store.User{}, errors.New("redeeming a code: its session, user or client is missing")
	}
	subject := fmt.Sprintf("redeeming the code of session %s of user %s", in.ID, in.UserID)
	switch { // a master that has lost the end of a session does not bring it back to life
	case s.Revocations.HasSession(in.ID):
		return store.Session{}, store.User{}, fmt.Errorf("%s: %w", subject, store.ErrExists)
	case s.Revocations.HasSession(in.Parent):
		return store.Session{}, store.User{}, fmt.Errorf("%s: %w", subject, store.ErrNotFound)
	}
	keys := append(s.Key.UserAndSessions(in.UserID), s.Key.Code(in.UserID, in.ID))
	redeem, reuse := s.Trail.CallEither(ctx, func(e *store.Event) bool { return e.Type == store.EventCodeReuse }, script.RedeemCode, keys,
		in.ID[:], script.Millis(in.StartedAt), s.Clock.Argument(store.Later(in.RotatedAt, in.StartedAt)), in.ClientID, in.ClientEpoch,
		codec.SessionOrigin(in.Address, in.Device, in.ClientID), b.PerUser, b.Absolute.Milliseconds(), s.Codec.Format(), parentArgument(in), in.UserEpoch,
		markLife(until).Milliseconds())
	lossKey := s.Key.Of(layout.Loss)
	lost := conn.Command(lossKey, "get", lossKey)
	if err := s.Conn.Do(ctx, "redeeming a code", redeem.Call, lost); err != nil {
		return store.Session{}, store.User{}, err
	}
	outcome, records := redeem.Outcome()
	switch {
	case outcome == "exists" && len(records) > 0:
		reuse.Kept(true)
		records, err := s.queueBehind(ctx, in.UserID, records, 1)
		if err != nil {
			return store.Session{}, store.User{}, err
		}
		return s.endRedeemed(ctx, in, records[0], subject)
	case outcome != "ok":
		return store.Session{}, store.User{}, outcomeError("redeeming a code", subject, outcome)
	}
	redeem.Kept(true)
	records, err := s.queueBehind(ctx, in.UserID, records, 2)
	if err != nil {
		return store.Session{}, store.User{}, err
	}
	session, user, err := s.decodeBoth(in, records)
	if err != nil {
		return store.Session{}, store.User{}, err
	}
	if s.hasEnded(session) || lossOf(lost).MayHaveUsed(until) {
		if err := s.endDurably(ctx, in.UserID, in.ID); err != nil {
			return store.Session{}, store.User{}, err
		}
		return store.Session{}, store.User{}, fmt.Errorf("%s: %w", subject, store.ErrNotFound)
	}
	return session, user, nil
}

// endRedeemed sees to it that the end of a session whose code was redeemed again is not lost with the master.
func (s *Sessions) endRedeemed(ctx context.Context, in store.Session, record, subject string) (store.Session, store.User, error) {
	if err := s.endDurably(ctx, in.UserID, in.ID); err != nil {
		return store.Session{}, store.User{}, err
	}
	was, err := codec.DecodeSession(in.UserID, in.ID, []byte(record), in.ClientID)
	if err != nil {
		return store.Session{}, store.User{}, conn.Malformed("session "+in.ID.String(), err)
	}
	return was, store.User{}, fmt.Errorf("%s: %w", subject, store.ErrExists)
}

// endDurably ends a session without an event. A repetition after a missing confirmation finds nothing to end, so it is
// remembered first.
func (s *Sessions) endDurably(ctx context.Context, user store.UserID, id store.SessionID) error {
	s.Revocations.SessionEnded(user, id)
	revoke := s.Trail.CallEnding(store.WithoutEvents(ctx), script.RevokeSession, []string{s.Key.Sessions(user)}, id[:])
	err := s.Channel.DoAndNotify(ctx, "ending a session", replica.Ended(revocation.Ended{User: user, Session: id}), revoke.Call)
	_, malformed := s.endedBy(ctx, user, revoke)
	return cmp.Or(err, malformed)
}

// hasEnded reports whether the log of revocations has the end of the session, by all of its user's or by its parent.
func (s *Sessions) hasEnded(session store.Session) bool {
	return s.Revocations.HasEnded(session) || !session.Parent.IsZero() && s.Revocations.HasSession(session.Parent)
}

// markLife is how long a mark stays that is about a time; see UseCall.
func markLife(until time.Time) time.Duration {
	return max(time.Until(until.Add(store.AssertionMargin)), store.AssertionMargin)
}

func lossOf(get *conn.Call) store.Loss {
	text, _ := get.Text()
	ms, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return store.Loss{}
	}
	return store.Loss{At: time.UnixMilli(ms).UTC()}
}

// UseCodeCall marks a code as redeemed.
func (s *Sessions) UseCodeCall(c store.UsedCode) *conn.Call {
	return conn.Write("set", s.Key.Code(c.UserID, c.SessionID), "", "nx", "px", markLife(c.Until).Milliseconds())
}
