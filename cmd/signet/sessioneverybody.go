package main

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
)

// endAllSessions ends everybody's sessions and returns how many clients had any part in them. It may
// take as long as there are clients.
func endAllSessions(ctx context.Context, c *adminClient) (clients int, err error) {
	var answer struct {
		Clients int `json:"clients"`
	}
	err = c.exchange(ctx, http.MethodDelete, pathTo("sessions"), "application/json", nil, &answer)
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
	return app.Print(map[string]int{"clients": n}, func(w io.Writer) {
		fmt.Fprintf(w, "ended every session, of %d %s\n", n, cli.Plural(n, "client"))
	})
}
