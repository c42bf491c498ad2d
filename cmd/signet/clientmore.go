package main

import (
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// pageSize is how much of a list one call asks for.
const pageSize = 500

// clientSpec holds the flags for what can be set on a client.
type clientSpec struct {
	grants, scopes, audiences, origins, authMethods, claims []string
	introspect                                              bool
	alg                                                     string
	ttl                                                     time.Duration
}

func (s *clientSpec) flags(cmd *cobra.Command) {
	f := cmd.Flags()
	listFlag(f, &s.grants, "grant", "GRANT[,GRANT]", "grants it may use: password, refresh_token, client_credentials")
	listFlag(f, &s.scopes, "scope", "SCOPE[,SCOPE]", "scopes it may be given; all of them when it asks for none")
	listFlag(f, &s.audiences, "audience", "AUD[,AUD]", "services its tokens may be for (default: the server's)")
	listFlag(f, &s.origins, "origin", "ORIGIN[,ORIGIN]", "browser origins that may call for it, such as https://app.example.com")
	listFlag(f, &s.authMethods, "auth-method", "METHOD[,METHOD]", "client_secret_basic, client_secret_post or none (default: both of the first; none for a public client)")
	listFlag(f, &s.claims, "claim-name", "NAME[,NAME]", "claims of the user that are copied into its tokens, such as roles")
	f.BoolVar(&s.introspect, "introspect", false, "it may ask /introspect about tokens")
	f.StringVar(&s.alg, "alg", "", "sign its tokens with `ALG`: ES256, RS256, PS256, EdDSA (default: the server's first)")
	f.DurationVar(&s.ttl, "ttl", 0, "its access tokens live for `TIME`, such as 10m (default, and 0: the server's)")
}

// listFlag is a flag whose help shows that it takes several values.
func listFlag(f *pflag.FlagSet, p *[]string, name, form, usage string) {
	f.StringSliceVar(p, name, nil, usage)
	flag := f.Lookup(name)
	flag.Value, flag.DefValue = namedValue{flag.Value, form}, ""
}

// namedValue is a flag's value with another name for its type in the help.
type namedValue struct {
	pflag.Value
	form string
}

func (v namedValue) Type() string { return v.form }

// given returns what was set, under the admin API's names.
func (s *clientSpec) given(cmd *cobra.Command) map[string]any {
	ttl := ""
	if s.ttl != 0 {
		ttl = s.ttl.String()
	}
	all := map[string]struct {
		name  string
		value any
	}{
		"grant": {"grants", s.grants}, "scope": {"scopes", s.scopes}, "audience": {"audiences", s.audiences},
		"origin": {"origins", s.origins}, "auth-method": {"auth_methods", s.authMethods}, "claim-name": {"claims", s.claims},
		"introspect": {"introspect", s.introspect}, "alg": {"alg", s.alg}, "ttl": {"access_token_ttl", ttl},
	}
	body := map[string]any{}
	for flag, field := range all {
		if cmd.Flags().Changed(flag) {
			body[field.name] = field.value
		}
	}
	return body
}

func (a *app) clientList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the clients",
		Example: "signet client list\nsignet client list -o json | jq -r '.clients[].client_id'",
		Args:    positional(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.connect()
			if err != nil {
				return err
			}
			l := a.newList("clients", "CLIENT", "KIND", "STATE", "GRANTS", "SCOPES", "AUDIENCES")
			fetch := func(after string) (page[clientRecord], error) {
				var answer struct {
					Clients []clientRecord `json:"clients"`
					Next    string         `json:"next"`
				}
				err := c.call(cmd.Context(), http.MethodGet, listPath(after, "clients"), nil, &answer)
				return page[clientRecord]{answer.Clients, answer.Next}, err
			}
			err = pages("", fetch, func(r clientRecord) error {
				return l.add(r, r.ID, r.kind(), enabledWord(r.Disabled), words(r.Grants), words(r.Scopes), words(r.Audiences))
			})
			if err != nil {
				return err
			}
			return l.end("There are no clients yet. `signet client create --help` shows how to make one.")
		},
	}
}

func listPath(after string, parts ...string) string {
	q := url.Values{"limit": {fmt.Sprint(pageSize)}}
	if after != "" {
		q.Set("after", after)
	}
	return pathTo(parts...) + "?" + q.Encode()
}

func (a *app) clientRotateSecret() *cobra.Command {
	var revokeOld bool
	cmd := &cobra.Command{
		Use:   "rotate-secret ID",
		Short: "Give a client a new secret",
		Long: "Give a client a new secret. The one before it goes on working, so that the app can be changed\n" +
			"over without an outage; the next rotation drops it. With --revoke-old it ends at once.",
		Example: "signet client rotate-secret web\nsignet client rotate-secret web --revoke-old   after a leak",
		Args:    positional("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.connect()
			if err != nil {
				return err
			}
			var answer struct {
				ID     string `json:"client_id"`
				Secret string `json:"client_secret"`
			}
			body := map[string]bool{"revoke_old": revokeOld}
			if err := c.call(cmd.Context(), http.MethodPost, pathTo("clients", args[0], "secret"), body, &answer); err != nil {
				return err
			}
			return a.print(answer, func(w io.Writer) { writeCredentials(w, answer.ID, answer.Secret) })
		},
	}
	cmd.Flags().BoolVar(&revokeOld, "revoke-old", false, "end the older secrets at once")
	return cmd
}

func (a *app) clientDelete() *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:     "delete ID",
		Short:   "Remove a client for good",
		Long:    "Remove a client for good. Its refresh tokens end, and its users must sign in again with another one.\nTo stop it for a while, disable it instead.",
		Example: "signet client delete web",
		Args:    positional("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := a.confirm(yes, fmt.Sprintf("Delete the client %q for good?", args[0])); err != nil {
				return err
			}
			return a.deleted(cmd, args[0], "clients", args[0])
		},
	}
	yesFlag(cmd, &yes)
	return cmd
}

// deleted removes what is at the path and says so.
func (a *app) deleted(cmd *cobra.Command, name string, path ...string) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	if err := c.call(cmd.Context(), http.MethodDelete, pathTo(path...), nil, nil); err != nil {
		return err
	}
	return a.print(map[string]string{"deleted": name}, func(w io.Writer) { line(w, "deleted "+name) })
}
