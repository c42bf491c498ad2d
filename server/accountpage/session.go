package accountpage

import (
	"errors"
	"slices"

	"signet/server/browser"
	"signet/server/edge"
	"signet/server/page"
	"signet/server/syntax"
	"signet/store"
)

// maxRows is how many sessions the page shows.
const maxRows = 50

// sessions returns the user's sessions that have not ended: that of the browser first, then those that were used last.
func (c *call) sessions() ([]store.Session, error) {
	now := c.cfg.Now()
	all, err := c.cfg.Store.ListSessions(c.Context(), c.in.User.ID, now, c.cfg.Lifetimes())
	if err != nil {
		return nil, edge.Unavailable(err)
	}
	var live []store.Session
	for _, session := range all {
		client, err := c.cfg.Clients.Get(c.Context(), session.ClientID)
		if errors.Is(err, store.ErrNotFound) {
			continue
		} else if err != nil {
			return nil, edge.Unavailable(err)
		}
		if c.cfg.Checker.SessionEnded(session, &c.in.User, client, now) == "" {
			live = append(live, session)
		}
	}
	slices.SortFunc(live, func(a, b store.Session) int {
		switch {
		case a.ID == c.in.Session.ID:
			return -1
		case b.ID == c.in.Session.ID:
			return 1
		}
		return b.RotatedAt.Compare(a.RotatedAt)
	})
	return live, nil
}

// isHere reports whether a session is that of the browser, or began from it.
func (c *call) isHere(session store.Session) bool {
	return session.ID == c.in.Session.ID || session.Parent == c.in.Session.ID
}

// accountPage shows the page with what is in a.
func (c *call) accountPage(a page.Account) (edge.Response, error) {
	live, err := c.sessions()
	if err != nil {
		return edge.Response{}, err
	}
	user := c.in.User
	a.Reader, a.Action, a.Hidden, a.Username, a.Now = c.reader(), c.path, c.hidden(c.name, c.in), user.Username, c.cfg.Now()
	a.MinLength = c.cfg.Policy().LeastLength()
	a.Elsewhere = user.PasswordHash == ""
	a.More = max(0, len(live)-maxRows)
	devices := map[store.SessionID]store.Device{}
	for _, session := range live {
		devices[session.ID] = session.Device
	}
	for _, session := range live[:len(live)-a.More] {
		row := page.Session{ID: session.ID.String(), Used: session.RotatedAt}
		if session.ClientID != syntax.BrowserClient {
			row.App = session.ClientID
		}
		if session.Address.IsValid() {
			row.Address = session.Address.String()
		}
		device := session.Device
		if !session.Parent.IsZero() {
			device = devices[session.Parent] // an app is used in the browser that it was signed in with
		}
		if c.isHere(session) {
			device = browser.DeviceOf(c.Request)
		}
		row.Browser, row.System = device.Browser(), device.System()
		if session.ID == c.in.Session.ID {
			row.Current, row.Used = true, a.Now
		}
		a.Sessions = append(a.Sessions, row)
	}
	return c.cfg.Pages().Account(a), nil
}

// signOut ends the session of the browser.
func (c *call) signOut() (edge.Response, error) {
	if _, err := c.revoke(c.in.Session.ID); err != nil {
		return edge.Response{}, err
	}
	c.cfg.Browsers.Clear(c.headers)
	return c.cfg.Pages().SignedOut(page.SignedOut{Reader: c.reader(), AgainURL: c.path}), nil
}

// end ends one session.
func (c *call) end() (edge.Response, error) {
	message := page.SessionGone
	if id, err := store.ParseSessionID(c.form.Get(fieldSession)); err == nil {
		if id == c.in.Session.ID {
			return c.signOut()
		}
		existed, err := c.revoke(id)
		if err != nil {
			return edge.Response{}, err
		}
		if existed {
			message = page.SessionEnded
		}
	}
	return c.accountPage(page.Account{Message: message})
}

// endOthers ends all sessions but that of the browser and those that began from it.
func (c *call) endOthers() (edge.Response, error) {
	live, err := c.sessions()
	if err != nil {
		return edge.Response{}, err
	}
	others := slices.DeleteFunc(live, c.isHere)
	n := len(others)
	listed := make(map[store.SessionID]bool, n)
	for _, session := range others {
		listed[session.ID] = true
	}
	for _, session := range others {
		if listed[session.Parent] {
			continue // it ends with that
		}
		if _, err := c.revoke(session.ID); err != nil {
			return edge.Response{}, err // those before are ended, and the form can be sent again
		}
	}
	return c.accountPage(page.Account{Message: page.OthersEnded, Count: n})
}

// revoke ends one session of the user, and reports whether it was there.
func (c *call) revoke(id store.SessionID) (existed bool, err error) {
	e := store.Event{Type: store.EventSessionRevoke, Outcome: store.OutcomeOK, Actor: c.Subject, SessionID: id.String()}
	c.Changing = e.Type
	if existed, err = c.cfg.Store.RevokeSession(c.cfg.Audit.WithEvent(c.Request, &e), c.in.User.ID, id); err != nil {
		return false, edge.Unavailable(err)
	}
	if existed {
		c.cfg.Audit.Change(c.Request, e)
	}
	return existed, nil
}
