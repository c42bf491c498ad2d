package record

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"signet/store"
	"signet/store/codec"
	"signet/store/redis/conn"
	"signet/store/redis/replica"
	"signet/store/redis/revocation"
	"signet/store/redis/script"
	"signet/store/redis/trail"
)

// Sessions has the sessions and their refresh tokens.
type Sessions struct {
	*Deps
}

// StartSession implements store.Sessions.
func (s *Sessions) StartSession(ctx context.Context, in store.Session, b store.SessionLimits) (store.Session, store.User, error) {
	start, err := s.StartCall(ctx, in, b)
	if err != nil {
		return store.Session{}, store.User{}, err
	}
	if err := s.Conn.Do(ctx, "starting a session", start.Call); err != nil {
		return store.Session{}, store.User{}, err
	}
	session, user, err := s.Started(ctx, in, start)
	start.Kept(err == nil)
	return session, user, err
}

// StartCall takes the epoch of the user in addition, for a session that began in another store.
func (s *Sessions) StartCall(ctx context.Context, in store.Session, b store.SessionLimits, epoch ...any) (trail.Call, error) {
	if in.ID.IsZero() || in.UserID.IsZero() || in.ClientID == "" {
		return trail.Call{}, errors.New("starting a session: its id, user or client is missing")
	}
	now := "" // it has begun before
	if in.RotatedAt.IsZero() {
		now = s.Clock.Argument(in.StartedAt)
	}
	args := []any{in.ID[:], script.Millis(in.StartedAt), script.Millis(in.RotatedAt),
		in.Generation, in.Replays, in.ClientID, in.ClientEpoch, in.Skipped, codec.SessionOrigin(in.Address, in.Device, in.ClientID),
		b.PerUser, b.Absolute.Milliseconds(), s.Codec.Format(), now, parentArgument(in)}
	return s.Trail.CallEnding(ctx, script.StartSession, s.Key.UserAndSessions(in.UserID), append(args, epoch...)...), nil
}

// parentArgument is nothing where the session has no parent.
func parentArgument(in store.Session) any {
	if in.Parent.IsZero() {
		return ""
	}
	return in.Parent[:]
}

// Started returns the session and its user out of the reply to a call of Start, and queues the logouts of those that made room for it.
func (s *Sessions) Started(ctx context.Context, in store.Session, start trail.Call) (store.Session, store.User, error) {
	outcome, records := start.Outcome()
	if outcome != "ok" {
		return store.Session{}, store.User{}, outcomeError("starting a session", fmt.Sprintf("starting session %s of user %s", in.ID, in.UserID), outcome)
	}
	records, err := s.queueBehind(ctx, in.UserID, records, 2)
	if err != nil {
		return store.Session{}, store.User{}, err
	}
	return s.decodeBoth(in, records)
}

// queueBehind queues the logouts that a script answers behind its first n records, and returns those.
func (s *Sessions) queueBehind(ctx context.Context, user store.UserID, records []string, n int) ([]string, error) {
	if len(records) <= n {
		return records, nil
	}
	return records[:n], s.Trail.Queue(ctx, user, records[n:])
}

// decodeBoth reads the session and the user that a script answers.
func (s *Sessions) decodeBoth(in store.Session, records []string) (store.Session, store.User, error) {
	if len(records) != 2 {
		return store.Session{}, store.User{}, conn.Malformed("session "+in.ID.String(), conn.ErrReply)
	}
	session, err := codec.DecodeSession(in.UserID, in.ID, []byte(records[0]), in.ClientID)
	if err != nil {
		return store.Session{}, store.User{}, conn.Malformed("session "+in.ID.String(), err)
	}
	u, err := s.Codec.DecodeUser(in.UserID, records[1])
	if err != nil {
		return store.Session{}, store.User{}, conn.Malformed("user "+in.UserID.String(), err)
	}
	return session, u, nil
}

// RevokeSession implements store.Sessions.
func (s *Sessions) RevokeSession(ctx context.Context, user store.UserID, id store.SessionID) (bool, error) {
	del := s.Trail.CallEnding(ctx, script.RevokeSession, []string{s.Key.Sessions(user)}, id[:])
	err := s.Channel.DoAndNotify(ctx, "revoking a session", replica.Ended(revocation.Ended{User: user, Session: id}), del.Call)
	n, malformed := s.endedBy(ctx, user, del)
	existed := n > 0
	if err == nil {
		err = malformed
	}
	if del.Done() { // also where the answer to the first time was lost, and nothing is left to delete
		s.Revocations.SessionEnded(user, id)
	}
	del.Kept(existed && err == nil)
	return existed && err == nil, err
}

// endedBy returns how many sessions a call of RevokeSession has ended, and queues their logouts. It is 0 where the call was not
// answered.
func (s *Sessions) endedBy(ctx context.Context, user store.UserID, revoke trail.Call) (n int, err error) {
	if !revoke.Done() {
		return 0, nil
	}
	outcome, about := revoke.Outcome()
	if outcome != "ok" {
		return 0, conn.UnexpectedReply("revoking a session", outcome)
	}
	if n, err = endedOf(about); err != nil {
		return 0, err
	}
	return n, s.Trail.Queue(ctx, user, about[1:])
}

// endedOf reads how many sessions have ended, the first part of an answer.
func endedOf(about []string) (int, error) {
	if len(about) == 0 {
		return 0, conn.Malformed("the answer to the end of sessions", conn.ErrReply)
	}
	n, err := strconv.Atoi(about[0])
	if err != nil {
		return 0, conn.Malformed("the answer to the end of sessions", conn.ErrReply)
	}
	return n, nil
}

// RevokeSessions implements store.Sessions.
func (s *Users) RevokeSessions(ctx context.Context, user store.UserID) (int, error) {
	_, n, err := s.changeUser(ctx, user, func(u *store.User) error {
		u.EndSessions()
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("revoking all sessions: %w", err)
	}
	return n, nil
}

// ListSessions implements store.Sessions.
func (s *Sessions) ListSessions(ctx context.Context, user store.UserID, now time.Time, l store.Lifetimes) ([]store.Session, error) {
	lists, err := s.SessionsOf(ctx, []store.User{{ID: user}})
	if err != nil {
		return nil, err
	}
	now = store.Millis(now)
	return slices.DeleteFunc(lists[0], func(session store.Session) bool { return l.Ended(session, now) }), nil
}

// SessionsOf returns the sessions of each user, the oldest first.
func (s *Sessions) SessionsOf(ctx context.Context, users []store.User) ([][]store.Session, error) {
	if len(users) == 0 {
		return nil, nil
	}
	calls := make([]*conn.Call, len(users))
	for i, u := range users {
		key := s.Key.Sessions(u.ID)
		calls[i] = conn.Command(key, "hgetall", key)
	}
	if err := s.Conn.Do(ctx, "listing sessions", calls...); err != nil {
		return nil, err
	}
	lists := make([][]store.Session, len(users))
	for i, u := range users {
		list, err := s.decodeSessions(u.ID, calls[i].List())
		if err != nil {
			return nil, err
		}
		lists[i] = list
	}
	return lists, nil
}

// decodeSessions reads what HGETALL answers and returns the oldest first.
func (s *Sessions) decodeSessions(user store.UserID, fields []string) ([]store.Session, error) {
	var list []store.Session
	for pair := range slices.Chunk(fields, 2) {
		if len(pair) != 2 || len(pair[0]) != 16 {
			return nil, conn.Malformed("the sessions of "+user.String(), codec.ErrMalformed)
		}
		session, err := codec.DecodeSession(user, store.SessionID([]byte(pair[0])), []byte(pair[1]), "")
		if err != nil {
			return nil, conn.Malformed("the sessions of "+user.String(), err)
		}
		list = append(list, session)
	}
	slices.SortFunc(list, func(a, b store.Session) int {
		return cmp.Or(a.StartedAt.Compare(b.StartedAt), bytes.Compare(a.ID[:], b.ID[:]))
	})
	return list, nil
}

// ReapplySession ends a session.
func (s *Sessions) ReapplySession(ctx context.Context, user store.UserID, id store.SessionID) error {
	revoke := s.Trail.CallEnding(store.WithoutEvents(ctx), script.RevokeSession, []string{s.Key.Sessions(user)}, id[:])
	err := s.Conn.DoDurably(ctx, "revoking a session again", revoke.Call)
	_, malformed := s.endedBy(ctx, user, revoke)
	return cmp.Or(err, malformed)
}
