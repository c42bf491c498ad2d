package manage

import (
	"io"
	"maps"
	"slices"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/connect"
	"signet/server/admin/api"
)

// callUser calls a verb that answers with a user, and shows the user.
func callUser(app *cli.App, cmd *cobra.Command, target api.Target, body any) error {
	c, err := connect.Client(app)
	if err != nil {
		return err
	}
	var r api.User
	if err := c.Call(cmd.Context(), target, body, &r); err != nil {
		return err
	}
	return app.Print(r, func(w io.Writer) { writeUser(w, r) })
}

func writeUser(w io.Writer, r api.User) {
	cli.Row(w, "username", r.Username)
	cli.Row(w, "sub", r.Subject)
	cli.Row(w, "state", userState(r))
	for _, name := range slices.Sorted(maps.Keys(r.Claims)) {
		cli.Row(w, "claim "+name, string(r.Claims[name]))
	}
	cli.Row(w, "created", cli.FormatTime(r.CreatedAt))
	cli.Row(w, "updated", cli.FormatTime(r.UpdatedAt))
}

func userState(r api.User) string {
	if !r.HasPassword && !r.Disabled {
		return "enabled, has no password"
	}
	return enabledWord(r.Disabled)
}
