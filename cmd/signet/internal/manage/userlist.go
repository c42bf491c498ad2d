package manage

import (
	"net/url"
	"strconv"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/connect"
	"signet/server/admin/api"
)

func userList(app *cli.App) *cobra.Command {
	var prefix string
	var disabled bool
	cmd := &cobra.Command{
		Use:     "list",
		Short:   "List the users",
		Example: "signet user list\nsignet user list --prefix ali\nsignet user list --disabled -o json | jq -r '.users[].username'",
		Args:    cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := connect.Client(app)
			if err != nil {
				return err
			}
			l := app.NewList("users", "USERNAME", "SUB", "STATE", "CREATED")
			filter := url.Values{}
			if prefix != "" {
				filter.Set("prefix", prefix)
			}
			if cmd.Flags().Changed("disabled") {
				filter.Set("disabled", strconv.FormatBool(disabled))
			}
			err = c.Users(cmd.Context(), filter, func(r api.User) error {
				return l.Add(r, r.Username, r.Subject, userState(r), cli.FormatTime(r.CreatedAt))
			})
			if err != nil {
				return err
			}
			if len(filter) > 0 {
				return l.End("There are no such users.")
			}
			return l.End("There are no users yet. `signet user create --username NAME` adds one.")
		},
	}
	cmd.Flags().StringVar(&prefix, "prefix", "", "only users whose names begin with `TEXT`")
	cmd.Flags().BoolVar(&disabled, "disabled", false, "only disabled users; --disabled=false: only enabled ones")
	return cmd
}
