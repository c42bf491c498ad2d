package logout

import (
	"encoding/json"
	"time"

	"signet/server/edge"
	"signet/server/page"
)

// fieldForm is the sealed field of the form.
const fieldForm = "form"

var parameters = edge.Parameters{"id_token_hint": true, "client_id": true, "post_logout_redirect_uri": true, "state": true, "ui_locales": true, fieldForm: true}

// formLife is how long the form can be sent after it was shown.
const formLife = time.Hour

// question is the sealed content of the form.
type question struct {
	back
	Asked int64 `json:"t"` // in milliseconds since 1970
}

// ask shows the page with the question whether to sign out.
func (c *call) ask() edge.Response {
	name := c.cfg.Browsers.SetName(c.Request, c.headers)
	content, err := json.Marshal(question{c.back, c.cfg.Now().UnixMilli()})
	if err != nil {
		panic(err) // strings always encode
	}
	q := page.ConfirmSignOut{Reader: c.reader(), Action: c.prefix + Path, Username: c.in.User.Username, StayURL: c.prefix + c.cfg.StayPath,
		Hidden: []page.Field{{Name: fieldForm, Value: c.forms.Seal(content, c.binding(name))}}}
	if target := page.FormTarget(c.back.URI); target != "" {
		q.Targets = []string{target}
	}
	return c.cfg.Pages().ConfirmSignOut(q)
}

// binding is what the form belongs to. The name has a fixed length.
func (c *call) binding(name string) string { return name + c.in.Session.ID.String() }

// confirmed answers the form.
func (c *call) confirmed() (answer edge.Response, err error) {
	if c.cfg.Browsers.CheckOrigin(c.Request) != nil {
		return c.problem(page.Forged), nil
	}
	name := c.cfg.Browsers.Name(c.Request)
	if name == "" {
		return c.problem(page.CookiesNeeded), nil
	}
	if c.in, err = c.cfg.Browsers.Current(c.Request); err != nil {
		return edge.Response{}, edge.Unavailable(err)
	}
	if c.in == nil {
		return c.leave(), nil // signed out meanwhile; where to go on to is in a form that cannot be opened any more
	}
	content, ok := c.forms.Open(c.form.Get(fieldForm), c.binding(name))
	var q question
	if !ok || json.Unmarshal(content, &q) != nil {
		return c.problem(page.Expired), nil
	}
	if age := c.cfg.Now().Sub(time.UnixMilli(q.Asked)); age > formLife || age < -formLife { // of two replicas one clock may be behind
		return c.problem(page.Expired), nil
	}
	c.back = q.back
	if err := c.end(c.in.User.ID, c.in.Session.ID); err != nil {
		return edge.Response{}, err
	}
	return c.leave(), nil
}

func (c *call) problem(kind page.Kind) edge.Response {
	c.Outcome = "refused"
	return c.cfg.Pages().Problem(page.Problem{Reader: c.reader(), Kind: kind, RequestID: c.ID, RetryURL: c.prefix + Path})
}
