package main

import (
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/server/admin/api"
)

// userRecord is a User of the admin API.
type userRecord struct{ api.User }

// userCall makes one call that answers with a user, and shows it.
func userCall(app *cli.App, cmd *cobra.Command, target api.Target, body any) error {
	c, err := connect(app)
	if err != nil {
		return err
	}
	var r userRecord
	if err := c.Call(cmd.Context(), target, body, &r); err != nil {
		return err
	}
	return app.Print(r, r.write)
}

func (r userRecord) write(w io.Writer) {
	cli.Row(w, "username", r.Username)
	cli.Row(w, "sub", r.Subject)
	cli.Row(w, "state", r.state())
	for _, name := range slices.Sorted(maps.Keys(r.Claims)) {
		cli.Row(w, "claim "+name, string(r.Claims[name]))
	}
	cli.Row(w, "created", cli.FormatTime(r.CreatedAt))
	cli.Row(w, "updated", cli.FormatTime(r.UpdatedAt))
}

func (r userRecord) state() string {
	if !r.HasPassword && !r.Disabled {
		return "enabled, has no password"
	}
	return enabledWord(r.Disabled)
}
