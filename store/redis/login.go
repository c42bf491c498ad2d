package redis

import (
	"context"
	"errors"
	"time"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
)

// BeginLogin implements store.Logins, in one round trip.
func (s *Store) BeginLogin(ctx context.Context, now time.Time, a store.Attempt, username string) (store.Admission, store.Credential, error) {
	key := s.key.Username(username)
	get, allow := conn.Command(key, "get", key), s.AllowCalls(now, a)
	if err := s.conn.Do(ctx, "beginning a login", append([]*conn.Call{get}, allow...)...); err != nil {
		return store.Admission{}, store.Credential{}, err
	}
	adm, err := s.Admission(ctx, now, a, allow)
	if err != nil || adm.Wait > 0 || adm.Busy {
		return adm, store.Credential{}, err
	}
	c, err := s.credential(ctx, username, get)
	if err != nil {
		return store.Admission{}, store.Credential{}, err
	}
	return adm, c, nil
}

// credential reads the copy beside the name, or, where it does not count, what it is a copy of.
func (s *Store) credential(ctx context.Context, username string, name *conn.Call) (store.Credential, error) {
	raw, found := name.Text()
	if !found {
		return store.Credential{}, nil
	}
	n, err := s.records.DecodeName(username, raw)
	if err != nil {
		return store.Credential{}, conn.Malformed("a username", err)
	}
	if n.Counts() {
		return n.Credential, nil
	}
	_, u, err := s.readUser(ctx, n.UserID)
	if errors.Is(err, store.ErrNotFound) {
		return store.Credential{}, nil
	}
	if err != nil {
		return store.Credential{}, err
	}
	_ = s.copyCredential(ctx, u) // the next login need not come here
	return u.Credential(), nil
}

// FinishLogin implements store.Logins, in one round trip. In a cluster the clients may lie on another
// server, which is asked at the same time.
func (s *Store) FinishLogin(ctx context.Context, now time.Time, r store.Receipt, in store.Session, b store.SessionLimits) (store.Login, error) {
	start, err := s.startCall(ctx, in, b)
	if err != nil {
		return store.Login{}, err
	}
	versionKey := s.key.Of(layout.ClientsVersion)
	version := conn.Command(versionKey, "get", versionKey)
	if err := s.conn.Do(ctx, "finishing a login", append([]*conn.Call{start.Call, version}, s.SucceededCalls(now, r.Attempt)...)...); err != nil {
		return store.Login{}, err
	}
	session, user, err := s.started(in, start.Call)
	start.Kept(err == nil)
	if err != nil {
		return store.Login{}, err
	}
	clients, _ := version.Text()
	return store.Login{Session: session, User: user, ClientsVersion: clients}, nil
}
