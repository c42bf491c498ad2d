package signingkeys

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/server/admin/api"
	"signet/server/admin/client"
)

// revoked is the report of `keys revoke`: the answer of the server, the replicas, and what else was done.
type revoked struct {
	api.RevokedKey
	replicaStatus
	ClientsEnded *int `json:"clients_ended,omitempty"` // whose sessions --end-sessions ended
}

func keysRevoke(app *cli.App) *cobra.Command {
	var emergency, endSessions bool
	var p waitFlags
	cmd := &cobra.Command{
		Use:   "revoke KID",
		Short: "Revoke a leaked signing key at once",
		Long: "Revoke a leaked signing key at once. It stops signing and leaves the key set. Introspection and /userinfo\n" +
			"refuse its tokens. The next key signs, and a new one is published. The report shows until when other\n" +
			"verifiers can accept tokens of the revoked key, and which services to restart.\n\n" +
			"If the next key has been published for less than keys.publish, some verifiers may not have it, and\n" +
			"nothing is done without --emergency.\n\n" +
			"Sessions continue: refresh tokens are not signed with this key. Use --end-sessions if more than the key\n" +
			"may have leaked: it ends every session of every user, and all users log in again.\n\n" +
			"Write -- before a KID that begins with a dash.",
		Example: "signet keys revoke KID --wait\nsignet keys revoke KID --emergency --wait",
		Args:    cli.Args("KID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if args[0] == "" {
				return cli.Usagef("KID is empty; `signet keys list` shows them")
			}
			c, err := changeKeys(app, cmd, p)
			if err != nil {
				return err
			}
			return revokeKey(app, cmd, c, args[0], emergency, endSessions, p)
		},
	}
	cmd.Flags().BoolVar(&emergency, "emergency", false, "revoke it even if some verifiers do not have the next key yet")
	cmd.Flags().BoolVar(&endSessions, "end-sessions", false, "also end every session of every user")
	p.flags(cmd)
	return cmd
}

func revokeKey(app *cli.App, cmd *cobra.Command, c *client.Client, kid string, emergency, endSessions bool, p waitFlags) error {
	var answer revoked
	if err := c.Call(cmd.Context(), api.RevokeKey.At(kid), api.KeyRevocation{Emergency: emergency}, &answer); err != nil {
		return err
	}
	if endSessions {
		var ended api.ClientsEnded
		if err := c.Call(cmd.Context(), api.RevokeAllSessions.At(), nil, &ended); err != nil {
			return fmt.Errorf("the key is revoked, but not every session is ended; do that with `signet session revoke --everybody`: %w", err)
		}
		answer.ClientsEnded = &ended.Clients
	}
	return report(cmd.Context(), app, c, answer.Version, p, &answer, &answer.replicaStatus)
}

func (r revoked) write(w io.Writer, now time.Time) {
	cli.Row(w, "revoked", r.KID+", which was "+r.Was+" for "+r.Alg)
	cli.Row(w, "signs now", signerText(r.Signer, now))
	cli.Row(w, "next", nextText(r.Standby, now))
	cli.Row(w, "replicas", r.text())
	if r.ClientsEnded != nil {
		cli.Row(w, "sessions", fmt.Sprintf("ended, of %d %s", *r.ClientsEnded, cli.Plural(*r.ClientsEnded, "client")))
	}
	cli.Row(w)
	cli.Row(w, "ITS TOKENS ARE REFUSED BY", "IF SIGNET SIGNED THEM", "IF FORGED")
	cli.Row(w, "introspection and /userinfo", "now", "now")
	cli.Row(w, "verifiers that cache keys for "+roundText(r.CacheTime)+" at most", r.genuine(r.Exposure.Genuine(), now), fromNow(r.Exposure.Forgotten, now))
	cli.Row(w, "verifiers that keep a key until a new kid comes", r.genuine(r.Exposure.Expired, now), r.restart(now))
	cli.Row(w, "services that keep one key or one answer for itself", r.genuine(r.Exposure.Expired, now), "restarted")
	r.writeAdvice(w, now)
}

// writeAdvice lists which services must act.
func (r revoked) writeAdvice(w io.Writer, now time.Time) {
	cli.Row(w)
	cli.Row(w, "If the key was stolen, restart the services that keep keys (go-oidc does) or one key or answer for itself (get-jwks,")
	cli.Row(w, "jwks-rsa, Apache's introspection cache), or ask /introspect in them.")
	if len(r.Behind) > 0 {
		signs := ""
		if !r.Unread.Expired.Equal(r.Exposure.Expired) {
			signs = "sign with the key for " + r.SignStale + " and "
		}
		cli.Row(w, "A replica that cannot read the keys may "+signs+"publish it for "+r.ServeStale+": then these times are "+
			r.genuine(r.Unread.Expired, now)+" and "+fromNow(r.Unread.Forgotten, now)+".")
	}
}

// genuine writes a time in the column of tokens that Signet signed.
func (r revoked) genuine(t, now time.Time) string {
	if r.Exposure.Expired.IsZero() && t.IsZero() {
		return "it signed none"
	}
	return fromNow(t, now)
}

// restart writes when a verifier that keeps keys drops the revoked one.
func (r revoked) restart(now time.Time) string {
	switch {
	case r.Was != "active":
		return "restarted"
	case !r.Aged:
		return "they see the new kid"
	case r.Standby == nil:
		return "restarted"
	}
	return "restarted, or " + fromNow(r.Standby.SignsFrom, now)
}

func fromNow(t, now time.Time) string {
	if !t.After(now) {
		return "now"
	}
	return "from " + cli.FormatTime(t) + " (" + cli.Relative(t, now) + ")"
}

// roundText rounds a duration of the API.
func roundText(s string) string {
	d, err := time.ParseDuration(s)
	if err != nil {
		return s
	}
	return cli.RoundDuration(d)
}
