package signin

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"slices"
	"time"

	"signet/server/account"
	"signet/server/edge"
	"signet/server/password"
	"signet/server/password/hash"
	"signet/server/throttle"
	"signet/server/upstream"
	"signet/store"
)

// attempt is one login on its way through the states.
type attempt struct {
	*Engine
	Login
	request    *edge.Request
	typed      string           // the username without white space at its ends
	name       string           // under which the user would be stored
	receipt    store.Receipt    // of places in the throttle, which are to be given back
	credential store.Credential // of the user, once the throttle has let the attempt through
	rehash     bool             // the hash of the right password is weaker than the policy
}

// identify finds the name under which the user would be stored.
func (a *attempt) identify() error {
	switch {
	case a.Username == "" || a.Login.Password == "":
		return ErrIncomplete
	case len(a.Username) > account.MaxName:
		return ErrNameTooLong
	}
	a.typed = password.TrimUsername(a.Username)
	name, err := account.Name(a.request.Context(), a.cfg.Store, a.typed)
	switch {
	case errors.Is(err, password.ErrUsername):
		name = a.typed // no user has it, but it is counted and costs the same
	case err != nil:
		return edge.Unavailable(err)
	}
	a.name, a.request.TypedName = name, name
	return nil
}

// checkPassword takes places in the throttle, then hashes or asks the upstream, then looks at the result.
func (a *attempt) checkPassword() error {
	if err := a.admit(); err != nil {
		return err
	}
	if !a.credential.UserID.IsZero() {
		a.request.Subject, a.request.Username = a.credential.UserID.String(), a.name
	}
	waiting, cancel := a.request.WhileCallerWaits()
	defer cancel()
	if a.cfg.Upstream.Asks(a.typed, a.credential) {
		return a.askUpstream(waiting)
	}
	result, err := a.cfg.Passwords.VerifyFor(waiting, a.cfg.Throttle.Draw(a.name), a.credential.PasswordHash, a.Login.Password)
	if !a.cfg.Passwords.Sampled(a.credential.PasswordHash) {
		a.cfg.Hashes.Want()
	}
	switch {
	case errors.Is(err, hash.ErrFormat):
		a.cfg.Log.WarnContext(a.request.Context(), "a user's password hash cannot be used; set a new password, or raise the limits of imported hashes if they are why",
			slog.String("sub", a.request.Subject), slog.Any("error", err))
	case err != nil:
		a.release()
		return edge.Unavailable(err)
	}
	if !result.Match || a.credential.Disabled {
		a.fail()
		a.cfg.Upstream.Pause(waiting)
		return a.refuse(refusal(a.credential))
	}
	a.rehash = result.Rehash
	return nil
}

// askUpstream is checkPassword for a user whose password is not here.
func (a *attempt) askUpstream(waiting context.Context) error {
	result, err := a.cfg.Upstream.Check(waiting, a.request,
		upstream.Login{Typed: a.typed, Password: a.Login.Password, Draw: a.cfg.Throttle.Draw(a.name), Credential: a.credential})
	a.credential = result.Credential
	switch {
	case err != nil:
		a.release()
		return edge.Unavailable(err)
	case !result.Match || result.Credential.Disabled:
		a.fail()
		return a.refuse(cmp.Or(result.Reason, refusal(result.Credential)))
	}
	return nil
}

// admit asks the throttle and looks for the user.
func (a *attempt) admit() error {
	var id store.AttemptID
	rand.Read(id[:])
	places := a.cfg.Throttle.Login(a.cfg.Settings().Throttle, id, a.name, a.Login.Password, a.request.Address)
	admission, credential, err := a.cfg.Store.BeginLogin(a.request.Context(), a.request.Begun, places, a.name)
	a.credential = credential
	if err != nil {
		// It is not known whether places were taken. The attempt's id finds them if they were, and nothing else.
		a.receipt = store.Receipt{Attempt: places}
		a.release()
		return edge.Unavailable(err)
	}
	a.noteReached(admission.Reached)
	switch {
	case admission.Wait > 0:
		a.cfg.Audit.Refused(a.request, store.Event{Type: store.EventLogin, Outcome: store.OutcomeThrottled})
		return &ThrottledError{admission.Wait}
	case admission.Busy:
		return edge.Crowded()
	}
	a.receipt = admission.Receipt
	return nil
}

// release gives back the places of an attempt that neither failed nor succeeded. An error only means that they count as
// failures later.
func (a *attempt) release() {
	ctx, cancel := afterwards(a.request.Context())
	defer cancel()
	if err := a.cfg.Store.Refund(ctx, a.cfg.Now(), a.receipt); err != nil {
		a.cfg.Log.WarnContext(ctx, "giving back a login attempt; it counts as failed later", slog.Any("error", err))
	}
}

// fail counts a wrong password. After an error its places count later.
func (a *attempt) fail() {
	ctx, cancel := afterwards(a.request.Context())
	defer cancel()
	reached, err := a.cfg.Store.Fail(ctx, a.cfg.Now(), a.receipt)
	if err != nil {
		a.cfg.Log.WarnContext(ctx, "counting a failed login; it counts later", slog.Any("error", err))
		return
	}
	a.noteReached(reached)
}

// afterwards is a context for what has to be done although the request's time may be over.
func afterwards(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(context.WithoutCancel(ctx), afterwardsWithin)
}

const afterwardsWithin = 2 * time.Second

// noteReached records, once for each time that the limit is reached, that new networks share a trickle of tries for the
// account.
func (a *attempt) noteReached(reached []string) {
	if !slices.Contains(reached, throttle.KindAnywhere) {
		return
	}
	a.underAttack.Inc()
	e := store.Event{Type: store.EventUnderAttack, Outcome: store.OutcomeOK}
	if a.request.Subject != "" {
		a.cfg.Audit.Change(a.request, e)
		return
	}
	a.cfg.Audit.Refused(a.request, e) // unknown names can be made up without end
}

func (a *attempt) refuse(why string) error {
	a.cfg.Audit.Refused(a.request, store.Event{Type: store.EventLogin, Outcome: store.OutcomeRefused, Detail: map[string]string{store.DetailReason: why}})
	return &RefusedError{why}
}
