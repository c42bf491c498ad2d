package main

import (
	"io"
	"net/http"

	"github.com/spf13/cobra"
)

func (a *app) clientRotateSecret() *cobra.Command {
	var revokeOld bool
	cmd := &cobra.Command{
		Use:   "rotate-secret ID",
		Short: "Give a client a new secret",
		Long: "Give a client a new secret. The one before it goes on working, so that the app can be changed\n" +
			"over without an outage; the next rotation drops it. With --revoke-old it ends at once.",
		Example: "signet client rotate-secret web\nsignet client rotate-secret web --revoke-old   after a leak",
		Args:    positional("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			c, err := a.connect()
			if err != nil {
				return err
			}
			var answer struct {
				ID     string `json:"client_id"`
				Secret string `json:"client_secret"`
			}
			body := map[string]bool{"revoke_old": revokeOld}
			if err := c.call(cmd.Context(), http.MethodPost, pathTo("clients", args[0], "secret"), body, &answer); err != nil {
				return err
			}
			if err := a.print(answer, func(w io.Writer) { writeCredentials(w, answer.ID, answer.Secret) }); err != nil {
				return err
			}
			a.say("\nKeep the secret now: it is not shown again.")
			return nil
		},
	}
	cmd.Flags().BoolVar(&revokeOld, "revoke-old", false, "end the older secrets at once")
	return cmd
}
