package clients

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/connect"
	"signet/server/admin/api"
)

// call calls a verb that answers with a client, and shows the client.
func call(app *cli.App, cmd *cobra.Command, target api.Target, body any) error {
	var r api.Client
	if err := connect.Call(cmd.Context(), app, target, body, &r); err != nil {
		return err
	}
	showWarnings(app, r.Warnings)
	return app.Print(r, func(w io.Writer) { write(w, r) })
}

// showWarnings shows the warnings in an answer of the server.
func showWarnings(app *cli.App, warnings []string) {
	for _, warning := range warnings {
		app.Notef("warning: %s", warning)
	}
}

func write(w io.Writer, r api.Client) {
	cli.Row(w, "client_id", r.ID)
	cli.Row(w, "kind", kind(r))
	cli.Row(w, "state", cli.EnabledWord(r.Disabled))
	cli.Row(w, "authenticates by", cli.Joined(r.AuthMethods))
	cli.Row(w, "grants", cli.Joined(r.Grants))
	if len(r.RedirectURIs) > 0 {
		cli.Row(w, "redirect URIs", cli.Joined(r.RedirectURIs))
	}
	if r.RequirePAR {
		cli.Row(w, "pushed requests", "required")
	}
	if len(r.PostLogoutURIs) > 0 {
		cli.Row(w, "after a logout", cli.Joined(r.PostLogoutURIs))
	}
	if r.BackchannelLogoutURI != "" {
		cli.Row(w, "logout notices to", r.BackchannelLogoutURI)
	}
	cli.Row(w, "scopes", cli.Joined(r.Scopes))
	cli.Row(w, "audiences", defaultWord(cli.Joined(r.Audiences)))
	cli.Row(w, "origins", cli.Joined(r.Origins))
	cli.Row(w, "claims", cli.Joined(r.Claims))
	cli.Row(w, "may introspect", introspects(r))
	cli.Row(w, "algorithm", defaultWord(cli.OrDash(r.Alg)))
	cli.Row(w, "token lifetime", defaultWord(cli.OrDash(r.AccessTokenTTL)))
	writeKeys(w, r)
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

func introspects(r api.Client) string {
	if r.Introspect && len(r.IntrospectFor) > 0 {
		return "tokens for " + cli.Joined(r.IntrospectFor)
	}
	return yesNo(r.Introspect)
}

func kind(r api.Client) string {
	if r.Public {
		return "public"
	}
	return "confidential"
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
