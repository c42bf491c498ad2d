package main

import (
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"
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
func (a *app) clientCall(cmd *cobra.Command, method, path string, body any) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	var r clientRecord
	if err := c.call(cmd.Context(), method, path, body, &r); err != nil {
		return err
	}
	a.showWarnings(r.Warnings)
	return a.print(r, r.write)
}

// showWarnings shows warnings of the server's to who reads along.
func (a *app) showWarnings(warnings []string) {
	for _, warning := range warnings {
		a.say("warning: %s", warning)
	}
}

func (r clientRecord) write(w io.Writer) {
	line(w, "client_id", r.ID)
	line(w, "kind", r.kind())
	line(w, "state", enabledWord(r.Disabled))
	line(w, "authenticates by", words(r.AuthMethods))
	line(w, "grants", words(r.Grants))
	line(w, "scopes", words(r.Scopes))
	line(w, "audiences", defaultWord(words(r.Audiences)))
	line(w, "origins", words(r.Origins))
	line(w, "claims", words(r.Claims))
	line(w, "may introspect", r.introspects())
	line(w, "algorithm", defaultWord(orDash(r.Alg)))
	line(w, "token lifetime", defaultWord(orDash(r.AccessTokenTTL)))
	r.writeKeys(w)
	for i, s := range r.Secrets {
		used := ""
		if s.Unused {
			used = ", not used yet"
		}
		line(w, fmt.Sprintf("secret %d made", i+1), stamp(s.CreatedAt)+", fingerprint "+s.Fingerprint+used)
	}
	line(w, "created", stamp(r.CreatedAt))
	line(w, "updated", stamp(r.UpdatedAt))
}

func (r clientRecord) introspects() string {
	if r.Introspect && len(r.IntrospectFor) > 0 {
		return "tokens for " + words(r.IntrospectFor)
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
