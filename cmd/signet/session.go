package main

import (
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"
)

// sessionRecord is a Session of the admin API.
type sessionRecord struct {
	ID         string    `json:"sid"`
	ClientID   string    `json:"client_id"`
	Generation uint32    `json:"generation"`
	StartedAt  time.Time `json:"started_at"`
	RotatedAt  time.Time `json:"rotated_at"`
	ExpiresAt  time.Time `json:"expires_at"`
}

func (a *app) sessionCommand() *cobra.Command {
	return a.remote(noun("session", "See and end who is signed in",
		"See and end sessions: one session is one sign-in of one user in one client. Its sid is in its tokens.",
		a.sessionList(), a.sessionRevoke()))
}

func (a *app) sessionList() *cobra.Command {
	var user, client string
	cmd := &cobra.Command{
		Use:   "list --user NAME [--client ID]",
		Short: "List a user's sessions",
		Long: "List a user's sessions. They are kept by user: who is signed in with a client is not kept, and\n" +
			"`signet audit list --type login --client ID` shows who signed in with it.",
		Example: "signet session list --user alice\nsignet session list --user alice --client web",
		Args:    positional(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if user == "" && client != "" {
				return misuse("sessions are kept by user: add --user; `signet audit list --type login --client %s` shows who signed in with it", client)
			}
			if err := required(cmd, "user"); err != nil {
				return err
			}
			return a.listSessions(cmd, user, client)
		},
	}
	userFlag(cmd, &user)
	cmd.Flags().StringVar(&client, "client", "", "only those in the client `ID`")
	return cmd
}

func userFlag(cmd *cobra.Command, user *string) {
	cmd.Flags().StringVar(user, "user", "", "the user's `NAME`, or the sub of a token")
}

func (a *app) listSessions(cmd *cobra.Command, user, client string) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	var answer struct {
		Sessions []sessionRecord `json:"sessions"`
	}
	if err := c.call(cmd.Context(), http.MethodGet, pathTo("users", user, "sessions"), nil, &answer); err != nil {
		return err
	}
	now := time.Now()
	l := a.newList("sessions", "SID", "CLIENT", "SIGNED IN", "REFRESHED", "TIMES", "EXPIRES")
	for _, s := range answer.Sessions {
		if client != "" && s.ClientID != client {
			continue
		}
		err := l.add(s, s.ID, s.ClientID, stamp(s.StartedAt), relative(s.RotatedAt, now), fmt.Sprint(s.Generation), relative(s.ExpiresAt, now))
		if err != nil {
			return err
		}
	}
	return l.end(fmt.Sprintf("%s has no sessions.", user))
}

func (a *app) sessionRevoke() *cobra.Command {
	var user, file string
	var all, everybody bool
	cmd := &cobra.Command{
		Use:   "revoke --user NAME SID|--all | --file FILE",
		Short: "End one session of a user, or all",
		Long: "End one session of a user, or all of them. Its refresh token is refused from now on, and its access\n" +
			"tokens by introspection; services that only use the key set accept those until they expire.",
		Example: "signet session revoke --user alice 2vZ1mVnXo0m4qk9cQyq3Tg\nsignet session revoke --user alice --all",
		Args:    positionalRange(0, "SID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if file != "" {
				if user != "" || all || everybody || len(args) > 0 {
					return misuse("--file is all sessions of its users; leave --user, --all, --everybody and SID out")
				}
				return a.bulk(cmd, file, "revoke-sessions")
			}
			if everybody {
				if user != "" || all || len(args) > 0 {
					return misuse("--everybody is all users; leave --user, --all and SID out")
				}
				return a.revokeEverybody(cmd)
			}
			if err := required(cmd, "user"); err != nil {
				return err
			}
			switch {
			case all && len(args) > 0:
				return misuse("--all and a SID do not go together; leave one of them out")
			case all:
				return a.revokeSessions(cmd, user)
			case len(args) == 0:
				return misuse("say which session: give its SID, or --all; see `signet session list --user %s`", user)
			}
			return a.revokeSession(cmd, user, args[0])
		},
	}
	userFlag(cmd, &user)
	cmd.Flags().BoolVar(&all, "all", false, "end every session of the user")
	cmd.Flags().StringVar(&file, "file", "", "end every session of each user in `FILE` (- for standard input): a name or sub a line, or NDJSON with \"username\"")
	cmd.Flags().BoolVar(&everybody, "everybody", false, "end every session of every user, and clients' own tokens: everybody logs in again")
	return cmd
}

func (a *app) revokeSession(cmd *cobra.Command, user, sid string) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	if err := c.call(cmd.Context(), http.MethodDelete, pathTo("users", user, "sessions", sid), nil, nil); err != nil {
		return err
	}
	return a.printRevoked(1)
}

func (a *app) revokeSessions(cmd *cobra.Command, user string) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	var answer struct {
		Revoked int `json:"revoked"`
	}
	if err := c.call(cmd.Context(), http.MethodDelete, pathTo("users", user, "sessions"), nil, &answer); err != nil {
		return err
	}
	return a.printRevoked(answer.Revoked)
}

func (a *app) printRevoked(n int) error {
	return a.print(map[string]int{"revoked": n}, func(w io.Writer) { fmt.Fprintf(w, "revoked %d %s\n", n, plural(n, "session")) })
}
