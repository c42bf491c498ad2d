package bolt

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"signet/store"
	"signet/store/bolt/commit"
	"signet/store/bolt/layout"
	"signet/store/bolt/throttle"
	"signet/store/codec"
)

// sessions has the sessions.
type sessions struct {
	db    *commit.DB
	users *users
}

// StartSession implements store.Sessions.
func (s *sessions) StartSession(ctx context.Context, in store.Session, b store.SessionLimits) (store.Session, store.User, error) {
	return s.startSession(ctx, in, b, func(*layout.Tx) error { return nil })
}

// startSession also does what belongs in the same transaction.
func (s *sessions) startSession(ctx context.Context, in store.Session, b store.SessionLimits, also func(*layout.Tx) error) (store.Session, store.User, error) {
	if err := layout.ValidSession(in); err != nil {
		return store.Session{}, store.User{}, fmt.Errorf("starting a session: %w", err)
	}
	now, err := commit.Ask(ctx, s.db, func(t *layout.Tx) (now started, err error) {
		if now.session, now.user, err = s.start(t, in, b.PerUser); err != nil {
			return now, err
		}
		return now, also(t)
	})
	if err != nil {
		return store.Session{}, store.User{}, fmt.Errorf("starting a session: %w", err)
	}
	return now.session, now.user, nil
}

type started struct {
	session store.Session
	user    store.User
}

func (s *sessions) start(t *layout.Tx, in store.Session, limit int) (store.Session, store.User, error) {
	u, err := layout.ReadUser(t, in.UserID)
	if err != nil {
		return in, u, err
	}
	if u.Disabled {
		return in, u, fmt.Errorf("user %s: %w", u.ID, store.ErrDisabled)
	}
	key := layout.SessionKey(in.UserID, in.ID)
	if t.Raw(layout.Sessions, key) != nil {
		return in, u, fmt.Errorf("session %s: %w", in.ID, store.ErrExists)
	}
	in.StartedAt = store.Later(store.Millis(in.StartedAt), u.NotBefore)
	in.RotatedAt = store.Later(store.Millis(in.RotatedAt), in.StartedAt)
	in.UserEpoch = u.Epoch
	if err := makeRoom(t, in.UserID, limit, store.SessionID{}); err != nil {
		return in, u, err
	}
	raw := codec.EncodeSession(in, s.db.Format())
	if in, err = layout.DecodeSession(key, raw, in.ClientID); err != nil {
		return in, u, err
	}
	return in, u, t.Put(layout.Sessions, key, raw)
}

// makeRoom ends the user's oldest sessions but one that stays, and those that began from them, until there is room for one more
// under limit; a limit that is not positive is none. Of those that began with one sign-in it ends the one that was used least recently.
func makeRoom(t *layout.Tx, user store.UserID, limit int, stays store.SessionID) error {
	if limit <= 0 {
		return nil
	}
	all, err := layout.ReadSessions(t, user)
	if err != nil || len(all) < limit {
		return err
	}
	slices.SortFunc(all, func(a, b store.Session) int {
		return cmp.Or(a.StartedAt.Compare(b.StartedAt), a.RotatedAt.Compare(b.RotatedAt), bytes.Compare(a.ID[:], b.ID[:]))
	})
	ended := map[store.SessionID]store.Session{}
	for _, old := range all {
		if len(ended) > len(all)-limit {
			break
		}
		if _, has := ended[old.ID]; old.ID == stays || has {
			continue
		}
		for _, session := range all {
			if session.ID == old.ID || session.Parent == old.ID {
				ended[session.ID] = session
			}
		}
	}
	for _, session := range ended {
		if err := layout.DeleteSession(t, session); err != nil {
			return err
		}
	}
	return nil
}

func byAge(a, b store.Session) int {
	return cmp.Or(a.StartedAt.Compare(b.StartedAt), bytes.Compare(a.ID[:], b.ID[:]))
}

// RevokeSession implements store.Sessions.
func (s *sessions) RevokeSession(ctx context.Context, user store.UserID, id store.SessionID) (existed bool, err error) {
	existed, err = commit.Ask(ctx, s.db, func(t *layout.Tx) (bool, error) {
		n, err := layout.EndSession(t, user, id)
		return n > 0, err
	})
	if err != nil {
		return false, fmt.Errorf("revoking a session: %w", err)
	}
	return existed, nil
}

// RevokeSessions implements store.Sessions.
func (s *sessions) RevokeSessions(ctx context.Context, user store.UserID) (ended int, err error) {
	_, ended, err = s.users.changeUser(ctx, user, func(u *store.User) error {
		u.EndSessions()
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("revoking all sessions: %w", err)
	}
	return ended, nil
}

// ListSessions implements store.Sessions.
func (s *sessions) ListSessions(ctx context.Context, user store.UserID, now time.Time, l store.Lifetimes) (list []store.Session, err error) {
	now = store.Millis(now)
	err = s.db.View(ctx, func(tx *layout.Tx) error {
		list, err = layout.ReadSessions(tx, user)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing sessions: %w", err)
	}
	list = slices.DeleteFunc(list, func(s store.Session) bool { return l.Ended(s, now) })
	slices.SortFunc(list, byAge)
	return list, nil
}

// logins has the two halves of a login.
type logins struct {
	counts   *throttle.Counts
	users    *users
	sessions *sessions
	clients  *clients
}

// BeginLogin implements store.Logins.
func (s *logins) BeginLogin(ctx context.Context, now time.Time, a store.Attempt, username string) (store.Admission, store.Credential, error) {
	adm, err := s.counts.Allow(ctx, now, a)
	if err != nil || adm.Wait > 0 || adm.Busy {
		return adm, store.Credential{}, err
	}
	u, err := s.users.UserByName(ctx, username)
	if err != nil && !errors.Is(err, store.ErrNotFound) {
		return store.Admission{}, store.Credential{}, err
	}
	return adm, u.Credential(), nil
}

// FinishLogin implements store.Logins.
func (s *logins) FinishLogin(ctx context.Context, now time.Time, r store.Receipt, in store.Session, b store.SessionLimits) (store.Login, error) {
	if err := s.counts.Succeed(ctx, r); err != nil {
		return store.Login{}, err
	}
	session, user, err := s.sessions.startSession(ctx, in, b, func(t *layout.Tx) error { return throttle.NoteNetworks(t, now, r.Attempt) })
	if err != nil {
		return store.Login{}, err
	}
	version, err := s.clients.ClientsVersion(ctx)
	return store.Login{Session: session, User: user, ClientsVersion: version}, err
}
