package manage

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/connect"
	"signet/server/admin/api"
)

// NewThrottle returns the command `signet throttle`.
func NewThrottle(app *cli.App) *cobra.Command {
	return connect.Flags(app, cli.Group("throttle", "Show and clear waiting times after failed logins",
		"Show and clear waiting times after failed logins. The store has MACs of names and addresses only, so\na list of all failures names no user, and to clear failures give the user or the address.",
		throttleList(app), throttleClear(app)))
}

// throttleQuery has the flags that select failures.
type throttleQuery struct{ user, address string }

func (q *throttleQuery) flags(cmd *cobra.Command) {
	cmd.Flags().Var((*cli.Filter)(&q.user), "user", "failures of the user `NAME`, or of the sub of a token; the user need not exist")
	cmd.Flags().Var((*cli.Filter)(&q.address), "address", "failures from the network of `ADDRESS`")
}

func callThrottle(ctx context.Context, app *cli.App, verb api.Verb, q throttleQuery, answer any) error {
	v := url.Values{}
	if q.user != "" {
		v.Set("user", q.user)
	}
	if q.address != "" {
		v.Set("address", q.address)
	}
	return connect.Call(ctx, app, verb.At().Query(v), nil, answer)
}

func throttleList(app *cli.App) *cobra.Command {
	var q throttleQuery
	cmd := &cobra.Command{
		Use:   "list [--user NAME] [--address ADDRESS]",
		Short: "List failures that count, and waiting times",
		Long: `List the failures that count at present, the longest waiting times first. Without options it lists
all of them, without the names of users. OF is what they are of:

  account   logins of an account from a network
  anywhere  logins of an account from networks where it has not logged in before
  logins    logins from a network, whatever the accounts
  client    authentications of a client from a network (unknown: of an unknown client)
  admin     authentications at admin.listen from a network

UNDER WAY are attempts whose outcome is not known yet. WAIT is how long the next attempt has to
wait. FORGOTTEN is when the failures no longer count, if there is no other one.`,
		Example: "signet throttle list --user alice\nsignet throttle list --address 203.0.113.7",
		Args:    cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var answer api.LimitList
			if err := callThrottle(cmd.Context(), app, api.ListThrottle, q, &answer); err != nil {
				return err
			}
			now := time.Now()
			l := app.NewList("limits", "OF", "NETWORK", "FAILURES", "UNDER WAY", "WAIT", "FORGOTTEN")
			for _, r := range answer.Limits {
				until := ""
				if r.Until != nil {
					until = cli.Relative(*r.Until, now)
				}
				err := l.Add(r, r.Kind, r.Network, fmt.Sprint(r.Failures), fmt.Sprint(r.UnderWay), fmt.Sprintf("%.0fs", r.Wait), until)
				if err != nil {
					return err
				}
			}
			return l.End("No failures count there at present.")
		},
	}
	q.flags(cmd)
	return cmd
}

func throttleClear(app *cli.App) *cobra.Command {
	var q throttleQuery
	cmd := &cobra.Command{
		Use:   "clear --user NAME|--address ADDRESS",
		Short: "Forget failures and their waiting times",
		Long: "Forget the failures of a user from all networks, or all failures from the network of an address. With\n" +
			"both options: the failures of the user from that network. The audit trail records it.",
		Example: "signet throttle clear --user alice",
		Args:    cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if q.user == "" && q.address == "" {
				return cli.Usagef("--user NAME or --address ADDRESS is missing")
			}
			var answer api.LimitsCleared
			if err := callThrottle(cmd.Context(), app, api.ClearThrottle, q, &answer); err != nil {
				return err
			}
			return app.Print(answer, func(w io.Writer) {
				fmt.Fprintf(w, "cleared %d %s\n", answer.Cleared, cli.Plural(answer.Cleared, "limit"))
			})
		},
	}
	q.flags(cmd)
	return cmd
}
