package signin

import (
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"signet/server/edge"
	"signet/server/password"
	"signet/server/password/hash"
	"signet/store"
)

// begin begins the session of a user who is signed in, and does what can be done only while the password is at hand.
func (a *attempt) begin() (SignedIn, error) {
	in := SignedIn{AMR: AMRPassword(), ACR: ACRPassword, event: store.Event{Type: store.EventLogin, Outcome: store.OutcomeOK}}
	if err := a.startSession(&in); err != nil {
		a.cfg.Audit.Drop(in.event)
		return SignedIn{}, err
	}
	if a.rehash {
		a.strengthen(in.User)
	}
	a.lookUp(&in.User)
	return in, nil
}

// startSession forgets the account's failures from here and begins the session, with the event of the login.
func (a *attempt) startSession(in *SignedIn) error {
	fresh := store.Session{UserID: a.credential.UserID, ClientID: a.Client.ID, ClientEpoch: a.Client.Epoch, Address: store.NetworkOf(a.request.Address),
		Device: a.Device, StartedAt: laterOf(a.cfg.Now(), a.Client.NotBefore)}
	rand.Read(fresh.ID[:])
	set := a.cfg.Settings()
	a.request.Changing, in.event.SessionID = store.EventLogin, fresh.ID.String()
	begun, err := a.cfg.Store.FinishLogin(a.cfg.Audit.WithEvent(a.request, &in.event), a.cfg.Now(), a.receipt, fresh,
		store.SessionLimits{PerUser: set.SessionsPerUser, Absolute: set.Lifetimes.Absolute})
	switch {
	case errors.Is(err, store.ErrNotFound), errors.Is(err, store.ErrDisabled):
		return a.refuse("user went away during the login: " + err.Error())
	case err != nil:
		a.release() // a right password, whatever became of the session
		return edge.Unavailable(err)
	}
	in.Session, in.User = begun.Session, begun.User
	a.cfg.Clients.Learn(begun.ClientsVersion)
	if err := a.StillServed(a.request.Context(), a.Client, in.Session); err != nil {
		return err
	}
	if in.User.PasswordHash != a.credential.PasswordHash || in.User.Epoch != a.credential.Epoch {
		if err := a.checkAgain(in); err != nil {
			return err
		}
	}
	a.request.SessionID = in.Session.ID.String()
	return nil
}

// checkAgain is for a user who was changed while the login was under way. A stronger hash of the same password, or a
// sign-out everywhere, is fine. Another password is not.
func (a *attempt) checkAgain(in *SignedIn) error {
	user := &in.User
	if user.PasswordHash == "" && (user.Move == store.MovePending || user.Move == store.MoveStay) {
		return nil // signed out everywhere; the password is not here, and the upstream has just accepted it
	}
	waiting, cancel := a.request.WhileCallerWaits()
	defer cancel()
	result, err := a.cfg.Passwords.Verify(waiting, user.PasswordHash, a.Login.Password)
	if err == nil && result.Match {
		return nil
	}
	if _, revokeErr := a.cfg.Store.RevokeSession(context.WithoutCancel(a.request.Context()), user.ID, in.Session.ID); revokeErr != nil {
		return edge.Unavailable(revokeErr)
	}
	if err != nil && !errors.Is(err, hash.ErrFormat) {
		return edge.Unavailable(err)
	}
	return a.refuse("password was changed during the login")
}

// strengthen brings a hash that is weaker than the policy up to it, now that the password is at hand. It must not spoil the
// login: what fails is tried again at the next one.
func (a *attempt) strengthen(user store.User) {
	ctx := a.request.Context()
	waiting, cancel := a.request.WhileCallerWaits()
	defer cancel()
	stronger, err := a.cfg.Passwords.HashAccepted(waiting, user.PasswordHash, a.Login.Password)
	if err == nil {
		_, err = a.cfg.Store.UpdateUser(ctx, user.ID, func(u *store.User) error {
			if u.PasswordHash == user.PasswordHash { // else a new password was set meanwhile
				u.PasswordHash = stronger
			}
			return nil
		})
	}
	if err != nil {
		a.cfg.Log.WarnContext(ctx, "strengthening a password hash; the next login tries again",
			slog.String("sub", user.ID.String()), slog.Any("error", err))
	}
}

// lookUp marks a user whose password is in a list of breached ones, and removes the mark when it is not any more. The login
// goes on: the responses to the app have the mark, and so has the list of users.
func (a *attempt) lookUp(user *store.User) {
	look := a.cfg.Settings().Breached
	if look == nil {
		return
	}
	text, err := password.Normalize(a.Login.Password)
	if err != nil {
		return
	}
	breached, err := look(text)
	if err == nil && breached != user.Breached {
		err = a.mark(user, breached)
	}
	if err != nil {
		a.cfg.Log.WarnContext(a.request.Context(), "looking a password up in the list of breached ones; the next login tries again",
			slog.String("sub", user.ID.String()), slog.Any("error", err))
	}
}

// mark sets or removes the mark of the user, and records that with the session that has begun. A user who has got a new password
// meanwhile, or a mark by another login, is left alone.
func (a *attempt) mark(user *store.User, breached bool) error {
	epoch := user.Epoch
	user.Breached = breached
	e := store.Event{Type: store.EventUserBreached, Outcome: store.OutcomeOK, Detail: map[string]string{"breached": strconv.FormatBool(breached)}}
	_, err := a.cfg.Store.UpdateUser(a.cfg.Audit.WithEvent(a.request, &e), user.ID, func(u *store.User) error {
		if u.Epoch != epoch || u.Breached == breached {
			return errSuperseded
		}
		u.Breached = breached
		return nil
	})
	switch {
	case errors.Is(err, errSuperseded):
		return nil
	case err != nil:
		return err
	}
	a.cfg.Audit.Change(a.request, e)
	return nil
}

// errSuperseded ends an update that another request has made needless.
var errSuperseded = errors.New("superseded")

func laterOf(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}
