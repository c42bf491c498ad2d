package apply

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"signet/server/admin/api"
	"signet/server/admin/client"
)

// Results of a change.
const (
	applied    = "applied"
	failed     = "failed"
	notApplied = "not applied"
	inDoubt    = "unknown" // there was no answer
)

// run makes the changes of the plan up to the first that fails, and notes the result of each.
func (p *plan) run(ctx context.Context, server *client.Client) error {
	for i := range p.Changes {
		p.Changes[i].Result = notApplied
	}
	for i := range p.Changes {
		c := &p.Changes[i]
		if err := c.run(ctx, server); err != nil {
			c.Result = resultOf(err)
			return fmt.Errorf("client %q: %w; %d of %d changes were applied, and running this again plans the rest", c.ClientID, err, i, len(p.Changes))
		}
		c.Result = applied
	}
	return nil
}

// localError is an error from before the server was called.
type localError struct{ error }

func resultOf(err error) string {
	refused, isRefusal := errors.AsType[*client.Error](err)
	if errors.As(err, new(localError)) || isRefusal && refused.Status < http.StatusInternalServerError {
		return failed
	}
	return inDoubt
}

// run makes one change: a call of the admin API for each kind of it, each bound to the revision that the one before left.
func (c *change) run(ctx context.Context, server *client.Client) error {
	revision := ""
	if c.before != nil {
		revision = c.before.Revision
	}
	call := func(verb api.Verb, in any) error {
		target := verb.At(c.ClientID)
		target.IfMatch = revision
		var now api.Client
		err := server.Call(ctx, target, in, &now)
		revision = now.Revision
		c.warn(now.Warnings)
		return err
	}
	switch c.Action {
	case remove:
		target := api.DeleteClient.At(c.ClientID)
		target.IfMatch = revision
		return server.Call(ctx, target, nil, nil)
	case create:
		made, err := c.create(ctx, server)
		if err != nil {
			return err
		}
		revision = made.Revision
		c.warn(made.Warnings)
	}
	disabled, toggle := c.switched()
	if toggle && disabled { // at once: it ends sessions, maybe because of a leak
		if err := call(api.DisableClient, nil); err != nil {
			return err
		}
	}
	if body := c.body(); c.Action == update && len(body) > 0 {
		if err := call(api.UpdateClient, body); err != nil {
			return err
		}
	}
	if toggle && !disabled {
		if err := call(api.EnableClient, nil); err != nil {
			return err
		}
	}
	if c.Action == update && c.isNew {
		return c.rotate(ctx, server, revision)
	}
	return nil
}

// create registers the client. A secret is in its file before the server has it, so that none is lost.
func (c *change) create(ctx context.Context, server *client.Client) (made api.Client, err error) {
	in := api.NewClient{ClientSpec: c.after.ClientSpec}
	if c.isNew {
		if in.Secret, err = c.secretToSet(); err != nil {
			return made, err
		}
	}
	err = server.Call(ctx, api.CreateClient.At(), in, &made)
	return made, err
}

// warn keeps the warnings of the server that the plan does not have.
func (c *change) warn(warnings []string) {
	for _, warning := range warnings {
		if !slices.Contains(c.Warnings, warning) {
			c.Warnings = append(c.Warnings, warning)
		}
	}
}

// secretToSet returns the secret that the client gets, and shows it later where it has no file.
func (c *change) secretToSet() (string, error) {
	if c.secret != "" {
		return c.secret, nil
	}
	secret, err := c.after.Secret.Make()
	if err != nil {
		return "", localError{fmt.Errorf("secret: %w", err)}
	}
	if c.after.Secret.Keep == "" {
		c.Made = secret
	}
	return secret, nil
}

func (c *change) rotate(ctx context.Context, server *client.Client, revision string) error {
	secret, err := c.secretToSet()
	if err != nil {
		return err
	}
	target := api.RotateSecret.At(c.ClientID)
	target.IfMatch = revision
	return server.Call(ctx, target, api.SecretRotation{Secret: secret}, nil)
}

// switched reports whether the client is enabled or disabled, and which.
func (c *change) switched() (disabled, toggle bool) {
	for _, d := range c.Members {
		if d.Member == memberDisabled {
			return d.To == true, true
		}
	}
	return false, false
}

// body returns the members of the spec that change.
func (c *change) body() map[string]any {
	body := map[string]any{}
	for _, d := range c.Members {
		if d.Member != memberDisabled {
			body[d.Member] = d.To
		}
	}
	return body
}
