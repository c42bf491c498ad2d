package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
)

// clientRecord is a Client of the admin API.
type clientRecord struct {
	ID             string          `json:"client_id"`
	Secret         string          `json:"client_secret,omitempty"` // only where it has just been made
	Public         bool            `json:"public"`
	AuthMethods    []string        `json:"auth_methods"`
	JWKS           json.RawMessage `json:"jwks,omitempty"`
	Grants         []string        `json:"grants"`
	Scopes         []string        `json:"scopes"`
	Audiences      []string        `json:"audiences"`
	Origins        []string        `json:"origins"`
	Claims         []string        `json:"claims"`
	Introspect     bool            `json:"introspect"`
	IntrospectFor  []string        `json:"introspect_for"`
	Alg            string          `json:"alg"`
	AccessTokenTTL string          `json:"access_token_ttl"`
	Disabled       bool            `json:"disabled"`
	Secrets        []clientSecret  `json:"secrets"`
	CreatedAt      time.Time       `json:"created_at"`
	UpdatedAt      time.Time       `json:"updated_at"`
	Warnings       []string        `json:"warnings,omitempty"` // of the change that was just made
}

type clientSecret struct {
	CreatedAt   time.Time `json:"created_at"`
	Fingerprint string    `json:"fingerprint"`
	Unused      bool      `json:"unused"`
}

// clientCall makes one call that answers with a client, and shows it.
func clientCall(app *cli.App, cmd *cobra.Command, method, path string, body any) error {
	c, err := connect(app)
	if err != nil {
		return err
	}
	var r clientRecord
	if err := c.call(cmd.Context(), method, path, body, &r); err != nil {
		return err
	}
	showWarnings(app, r.Warnings)
	return app.Print(r, r.write)
}

// showWarnings shows warnings of the server's to who reads along.
func showWarnings(app *cli.App, warnings []string) {
	for _, warning := range warnings {
		app.Notef("warning: %s", warning)
	}
}

func (r clientRecord) write(w io.Writer) {
	cli.Row(w, "client_id", r.ID)
	cli.Row(w, "kind", r.kind())
	cli.Row(w, "state", enabledWord(r.Disabled))
	cli.Row(w, "authenticates by", cli.Joined(r.AuthMethods))
	cli.Row(w, "grants", cli.Joined(r.Grants))
	cli.Row(w, "scopes", cli.Joined(r.Scopes))
	cli.Row(w, "audiences", defaultWord(cli.Joined(r.Audiences)))
	cli.Row(w, "origins", cli.Joined(r.Origins))
	cli.Row(w, "claims", cli.Joined(r.Claims))
	cli.Row(w, "may introspect", r.introspects())
	cli.Row(w, "algorithm", defaultWord(cli.OrDash(r.Alg)))
	cli.Row(w, "token lifetime", defaultWord(cli.OrDash(r.AccessTokenTTL)))
	r.writeKeys(w)
	for i, s := range r.Secrets {
		used := ""
		if s.Unused {
			used = ", not used yet"
		}
		cli.Row(w, fmt.Sprintf("secret %d made", i+1), cli.FormatTime(s.CreatedAt)+", fingerprint "+s.Fingerprint+used)
	}
	cli.Row(w, "created", cli.FormatTime(r.CreatedAt))
	cli.Row(w, "updated", cli.FormatTime(r.UpdatedAt))
}

func (r clientRecord) introspects() string {
	if r.Introspect && len(r.IntrospectFor) > 0 {
		return "tokens for " + cli.Joined(r.IntrospectFor)
	}
	return yesNo(r.Introspect)
}

func (r clientRecord) kind() string {
	if r.Public {
		return "public"
	}
	return "confidential"
}

func enabledWord(disabled bool) string {
	if disabled {
		return "disabled"
	}
	return "enabled"
}

func defaultWord(s string) string {
	if s == "-" {
		return "the server's"
	}
	return s
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}
