package record

import (
	"context"
	"errors"
	"time"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
)

// Logins has the two halves of a login.
type Logins struct {
	*Deps
	users    *Users
	sessions *Sessions
}

// BeginLogin implements store.Logins, in one round trip.
func (l *Logins) BeginLogin(ctx context.Context, now time.Time, a store.Attempt, username string) (store.Admission, store.Credential, error) {
	key := l.Key.Username(username)
	get, allow := conn.Command(key, "get", key), l.Throttle.AllowCalls(now, a)
	if err := l.Conn.Do(ctx, "beginning a login", append([]*conn.Call{get}, allow...)...); err != nil {
		return store.Admission{}, store.Credential{}, err
	}
	adm, err := l.Throttle.Admission(ctx, now, a, allow)
	if err != nil || adm.Wait > 0 || adm.Busy {
		return adm, store.Credential{}, err
	}
	c, err := l.credential(ctx, username, get)
	if err != nil {
		return store.Admission{}, store.Credential{}, err
	}
	return adm, c, nil
}

// credential reads the copy beside the name, or, where it does not count, what it is a copy of.
func (l *Logins) credential(ctx context.Context, username string, name *conn.Call) (store.Credential, error) {
	raw, found := name.Text()
	if !found {
		return store.Credential{}, nil
	}
	n, err := l.Codec.DecodeName(username, raw)
	if err != nil {
		return store.Credential{}, conn.Malformed("a username", err)
	}
	if n.Counts() {
		return n.Credential, nil
	}
	_, u, err := l.users.readUser(ctx, n.UserID)
	if errors.Is(err, store.ErrNotFound) {
		return store.Credential{}, nil
	}
	if err != nil {
		return store.Credential{}, err
	}
	if !u.HasName(username) {
		return store.Credential{}, nil // left behind by a change of names that broke off
	}
	if u.Username == username {
		_ = l.users.copyCredential(ctx, u) // the next login need not come here
	}
	return u.Credential(), nil
}

// FinishLogin implements store.Logins, in one round trip. In a cluster the clients may lie on another
// server, which is asked at the same time.
func (l *Logins) FinishLogin(ctx context.Context, now time.Time, r store.Receipt, in store.Session, b store.SessionLimits) (store.Login, error) {
	start, err := l.sessions.StartCall(ctx, in, b)
	if err != nil {
		return store.Login{}, err
	}
	versionKey := l.Key.Of(layout.ClientsVersion)
	version := conn.Command(versionKey, "get", versionKey)
	if err := l.Conn.Do(ctx, "finishing a login", append([]*conn.Call{start.Call, version}, l.Throttle.SucceededCalls(now, r.Attempt)...)...); err != nil {
		return store.Login{}, err
	}
	session, user, err := l.sessions.Started(ctx, in, start)
	start.Kept(err == nil)
	if err != nil {
		return store.Login{}, err
	}
	clients, _ := version.Text()
	return store.Login{Session: session, User: user, ClientsVersion: clients}, nil
}
