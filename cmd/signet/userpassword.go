package main

import (
	"io"
	"net/http"

	"github.com/spf13/cobra"
)

func (a *app) userSetPassword() *cobra.Command {
	var password passwordSource
	cmd := &cobra.Command{
		Use:     "set-password NAME",
		Short:   "Set a user's password",
		Long:    "Set a user's password, and end the sessions that the old one began. It is asked for twice, or\nread from standard input or a file.",
		Example: "signet user set-password alice",
		Args:    positional("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			secret, err := password.read(a)
			if err != nil {
				return err
			}
			c, err := a.connect()
			if err != nil {
				return err
			}
			body := map[string]string{"password": secret}
			if err := c.call(cmd.Context(), http.MethodPut, pathTo("users", args[0], "password"), body, nil); err != nil {
				return err
			}
			return a.print(map[string]string{"password_set": args[0]}, func(w io.Writer) { line(w, "set the password of "+args[0]) })
		},
	}
	password.flags(cmd)
	return cmd
}
