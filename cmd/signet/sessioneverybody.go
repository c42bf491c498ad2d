package main

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/server/admin/api"
	"signet/server/admin/client"
)

// endAllSessions ends everybody's sessions and returns how many clients had any part in them. It may
// take as long as there are clients.
func endAllSessions(ctx context.Context, c *client.Client) (clients int, err error) {
	var answer api.ClientsEnded
	err = c.Call(ctx, api.RevokeAllSessions.At(), nil, &answer)
	return answer.Clients, err
}

func revokeEverybody(app *cli.App, cmd *cobra.Command) error {
	c, err := connect(app)
	if err != nil {
		return err
	}
	n, err := endAllSessions(cmd.Context(), c)
	if err != nil {
		return err
	}
	return app.Print(api.ClientsEnded{Clients: n}, func(w io.Writer) {
		fmt.Fprintf(w, "ended every session, of %d %s\n", n, cli.Plural(n, "client"))
	})
}
