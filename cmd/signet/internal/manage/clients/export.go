package clients

import (
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/clientfile"
	"signet/cmd/signet/internal/connect"
	"signet/server/admin/api"
)

func export(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:   "export [ID]...",
		Short: "Write clients as a file for signet apply",
		Long: "Write all clients, or those that are named, as a file that `signet apply -f` reads: to keep them in version\n" +
			"control, or to register the same ones elsewhere. It has no secrets.",
		Example: "signet client export > clients.yaml\nsignet client export web phone > apps.yaml",
		RunE: func(cmd *cobra.Command, ids []string) error {
			c, err := connect.Client(app)
			if err != nil {
				return err
			}
			var all []api.Client
			missing := slices.Clone(ids)
			err = c.Clients(cmd.Context(), func(r api.Client) error {
				if len(ids) == 0 || slices.Contains(ids, r.ID) {
					all = append(all, r)
				}
				missing = slices.DeleteFunc(missing, func(id string) bool { return id == r.ID })
				return nil
			})
			if err != nil {
				return err
			}
			if len(missing) > 0 {
				return fmt.Errorf("there is no client %q; `signet client list` shows them", missing[0])
			}
			return clientfile.Write(app, all)
		},
	}
}
