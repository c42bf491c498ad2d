package manage

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/connect"
	"signet/server/admin/api"
)

// NewSession returns the command `signet session`.
func NewSession(app *cli.App) *cobra.Command {
	return connect.Flags(app, cli.Group("session", "List and end sessions",
		"List and end sessions. A session is one sign-in of one user in one client. Its tokens have its sid.",
		sessionList(app), sessionRevoke(app)))
}

func sessionList(app *cli.App) *cobra.Command {
	var user, client string
	cmd := &cobra.Command{
		Use:   "list --user NAME [--client ID]",
		Short: "List a user's sessions",
		Long: "List a user's sessions. There is no list by client; `signet audit list --type login --client-id ID` shows\n" +
			"who signed in with a client.",
		Example: "signet session list --user alice\nsignet session list --user alice --client web",
		Args:    cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if user == "" && client != "" {
				return cli.Usagef("sessions are listed by user: add --user; `signet audit list --type login --client-id %s` shows who signed in with it", client)
			}
			if err := cli.Required(cmd, "user"); err != nil {
				return err
			}
			return listSessions(app, cmd, user, client)
		},
	}
	userFlag(cmd, &user)
	cmd.Flags().Var((*cli.Filter)(&client), "client", "only those in the client `ID`")
	return cmd
}

func userFlag(cmd *cobra.Command, user *string) {
	cmd.Flags().Var((*cli.Filter)(user), "user", "the user's `NAME`, or the sub of a token")
}

func listSessions(app *cli.App, cmd *cobra.Command, user, client string) error {
	var answer api.SessionList
	if err := connect.Call(cmd.Context(), app, api.ListSessions.At(user), nil, &answer); err != nil {
		return err
	}
	now := time.Now()
	l := app.NewList("sessions", "SID", "CLIENT", "SIGNED IN", "REFRESHED", "TIMES", "EXPIRES")
	for _, s := range answer.Sessions {
		if client != "" && s.ClientID != client {
			continue
		}
		err := l.Add(s, s.ID, s.ClientID, cli.FormatTime(s.StartedAt), cli.Relative(s.RotatedAt, now), fmt.Sprint(s.Generation), cli.Relative(s.ExpiresAt, now))
		if err != nil {
			return err
		}
	}
	return l.End(fmt.Sprintf("%s has no sessions.", user))
}

func sessionRevoke(app *cli.App) *cobra.Command {
	var user, file string
	var all, everybody, yes bool
	cmd := &cobra.Command{
		Use:   "revoke --user NAME SID|--all | --file FILE | --everybody [--yes]",
		Short: "End one session of a user, or all sessions",
		Long: "End one session of a user, or all of them. Refresh tokens are refused at once, and access tokens by\n" +
			"introspection. Services that only use the key set accept access tokens until they expire.\n" +
			"--everybody asks first where there is a terminal, unless --yes is given.",
		Example: "signet session revoke --user alice 2vZ1mVnXo0m4qk9cQyq3Tg\nsignet session revoke --user alice --all",
		Args:    cli.ArgsRange(0, "SID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if file != "" {
				if user != "" || all || everybody || len(args) > 0 {
					return cli.Usagef("--file is all sessions of its users; leave --user, --all, --everybody and SID out")
				}
				return callForEach(app, cmd, file, api.RevokeSessionsOfUsers)
			}
			if everybody {
				if user != "" || all || len(args) > 0 {
					return cli.Usagef("--everybody is all users; leave --user, --all and SID out")
				}
				// Without a terminal it asks nothing: scripts for an incident were written before there was a question.
				if app.Interactive() {
					if err := app.Confirm(yes, "End every session of every user, and the clients' own tokens? All users log in again."); err != nil {
						return err
					}
				}
				return revokeEverybody(app, cmd)
			}
			if err := cli.Required(cmd, "user"); err != nil {
				return err
			}
			switch {
			case all && len(args) > 0:
				return cli.Usagef("--all and a SID do not go together; leave one of them out")
			case all:
				return revokeSessions(app, cmd, user)
			case len(args) == 0:
				return cli.Usagef("say which session: give its SID, or --all; see `signet session list --user %s`", user)
			}
			return revokeSession(app, cmd, user, args[0])
		},
	}
	userFlag(cmd, &user)
	cmd.Flags().BoolVar(&all, "all", false, "end every session of the user")
	cmd.Flags().Var((*cli.Filter)(&file), "file", "end every session of all users in `FILE` (- is standard input): a name or sub on each line, or NDJSON with \"username\"")
	cmd.Flags().BoolVar(&everybody, "everybody", false, "end every session of every user and the clients' own tokens; all users log in again")
	cli.YesFlag(cmd, &yes)
	return cmd
}

func revokeSession(app *cli.App, cmd *cobra.Command, user, sid string) error {
	if err := connect.Call(cmd.Context(), app, api.RevokeSession.At(user, sid), nil, nil); err != nil {
		return err
	}
	return printRevoked(app, 1)
}

func revokeSessions(app *cli.App, cmd *cobra.Command, user string) error {
	var answer api.SessionsRevoked
	if err := connect.Call(cmd.Context(), app, api.RevokeSessions.At(user), nil, &answer); err != nil {
		return err
	}
	return printRevoked(app, answer.Revoked)
}

func printRevoked(app *cli.App, n int) error {
	return app.Print(map[string]int{"revoked": n}, func(w io.Writer) { fmt.Fprintf(w, "revoked %d %s\n", n, cli.Plural(n, "session")) })
}

func revokeEverybody(app *cli.App, cmd *cobra.Command) error {
	var ended api.ClientsEnded
	if err := connect.Call(cmd.Context(), app, api.RevokeAllSessions.At(), nil, &ended); err != nil {
		return err
	}
	return app.Print(ended, func(w io.Writer) {
		fmt.Fprintf(w, "ended all sessions of all users and all clients (%d %s)\n", ended.Clients, cli.Plural(ended.Clients, "client"))
	})
}
