package accountpage

import (
	"errors"

	"signet/server/audit"
	"signet/server/edge"
	"signet/server/page"
	"signet/server/password"
	"signet/store"
)

// errChanged is an account that was changed while the password was being checked.
var errChanged = errors.New("the user was changed meanwhile")

// changePassword sets a new password. It ends every session, and signs the browser in anew.
func (c *call) changePassword() (edge.Response, error) {
	current, fresh := c.form.Get(fieldCurrent), c.form.Get(fieldNew)
	if a := c.checkNew(current, fresh); a.Message != page.NoMessage {
		return c.accountPage(a)
	}
	checked, err := c.login(c.in.User.Username, current)
	if m, wait, ok := refusalOf(err); ok {
		if m == page.Incorrect {
			m = page.WrongPassword
		}
		return c.accountPage(page.Account{Message: m, Wait: wait})
	}
	if err != nil {
		return edge.Response{}, err
	}
	defer c.cfg.SignIn.Abandon(c.Request, checked) // its session was for the check alone
	switch err := c.setPassword(checked.User, fresh); {
	case errors.Is(err, errChanged), errors.Is(err, store.ErrNotFound):
		c.cfg.Browsers.Clear(c.headers)
		return c.signInPage(page.SignIn{Message: page.SignedOutMeantime}), nil
	case err != nil:
		return edge.Response{}, edge.Unavailable(err)
	}
	in, err := c.login(checked.User.Username, fresh)
	if err != nil { // the password is changed all the same
		c.cfg.Browsers.Clear(c.headers)
		return c.signInPage(page.SignIn{Message: page.SignedOutMeantime, Username: checked.User.Username}), nil
	}
	c.stay(in)
	return c.accountPage(page.Account{Message: page.PasswordChanged})
}

// checkNew returns the page that reports why a password cannot be chosen. Its message is NoMessage where it can.
func (c *call) checkNew(current, fresh string) page.Account {
	switch {
	case c.in.User.PasswordHash == "":
		return page.Account{Message: page.PasswordElsewhere}
	case current == "" || fresh == "" || c.form.Get(fieldRepeat) == "":
		return page.Account{Message: page.PasswordMissing}
	case fresh != c.form.Get(fieldRepeat):
		return page.Account{Message: page.PasswordsDiffer}
	case fresh == current:
		return page.Account{Message: page.PasswordSame}
	}
	policy := c.cfg.Policy()
	switch err := policy.Check(c.in.User.Username, fresh); {
	case err == nil:
		return page.Account{}
	case errors.Is(err, password.ErrTooShort):
		return page.Account{Message: page.PasswordTooShort, Count: policy.LeastLength()}
	case errors.Is(err, password.ErrTooLong):
		return page.Account{Message: page.PasswordTooLong, Count: password.MaxLength}
	case errors.Is(err, password.ErrPassword):
		return page.Account{Message: page.PasswordCharacters}
	case errors.Is(err, password.ErrCommon):
		return page.Account{Message: page.PasswordCommon}
	case errors.Is(err, password.ErrContext):
		return page.Account{Message: page.PasswordContext}
	default:
		c.Cause = err // a list of breached passwords that cannot be read
		return page.Account{Message: page.CannotSignIn}
	}
}

// setPassword stores a hash of the password and ends every session, unless the user was changed since the current
// password was checked: a password that an operator has set meanwhile stays.
func (c *call) setPassword(checked store.User, fresh string) error {
	waiting, cancel := c.WhileCallerWaits()
	defer cancel()
	hash, err := c.cfg.Passwords.Hash(waiting, fresh)
	if err != nil {
		return err
	}
	e := store.Event{Type: store.EventUserSetPassword, Outcome: store.OutcomeOK, Actor: c.Subject}
	c.Changing = e.Type
	return c.update(&e, checked.ID, func(u *store.User) error {
		if u.Epoch != checked.Epoch || u.Disabled {
			return errChanged
		}
		u.SetPassword(hash)
		u.EndSessions()
		return nil
	})
}

// update changes the user, and records the event.
func (c *call) update(e *store.Event, id store.UserID, change func(*store.User) error) error {
	now := store.Millis(c.cfg.Now())
	user, err := c.cfg.Store.UpdateUser(c.cfg.Audit.WithEvent(c.Request, e), id, func(u *store.User) error {
		if err := change(u); err != nil {
			return err
		}
		u.UpdatedAt = now
		audit.SetRevision(e, u.Revision+1, u.Epoch)
		return nil
	})
	if err != nil {
		return err
	}
	audit.SetRevision(e, user.Revision, user.Epoch)
	c.cfg.Audit.Change(c.Request, *e)
	return nil
}
