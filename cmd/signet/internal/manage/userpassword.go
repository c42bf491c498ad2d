package manage

import (
	"io"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/connect"
	"signet/server/admin/api"
)

func userSetPassword(app *cli.App) *cobra.Command {
	var password cli.PasswordFlags
	cmd := &cobra.Command{
		Use:     "set-password NAME",
		Short:   "Set a user's password",
		Long:    "Set a user's password and end the user's sessions. The password is asked for twice, or read from\nstandard input or a file.",
		Example: "signet user set-password alice",
		Args:    cli.Args("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			secret, err := password.Read(app)
			if err != nil {
				return err
			}
			c, err := connect.Client(app)
			if err != nil {
				return err
			}
			if err := c.Call(cmd.Context(), api.SetPassword.At(args[0]), api.NewPassword{Password: secret}, nil); err != nil {
				return err
			}
			return app.Print(map[string]string{"password_set": args[0]}, func(w io.Writer) { cli.Row(w, "set the password of "+args[0]) })
		},
	}
	password.Register(cmd)
	return cmd
}
