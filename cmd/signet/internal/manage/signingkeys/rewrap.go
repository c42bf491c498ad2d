package signingkeys

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/server/admin/api"
)

// rewrapped is the report of `keys rewrap`: the answer of the server, and the replicas.
type rewrapped struct {
	api.RewrappedKeys
	replicaStatus
}

func keysRewrap(app *cli.App) *cobra.Command {
	var p waitFlags
	cmd := &cobra.Command{
		Use:   "rewrap",
		Short: "Seal the signing keys with a new master key",
		Long: "Seal the signing keys with a new master key. First give every server both keys, the new one first: two\n" +
			"lines in master.key, or SIGNET_MASTER_KEY=NEW,OLD. Restart the servers in any order, then run this once.\n" +
			"It can be repeated. It is refused while a server does not have the new key.\n\n" +
			"Older refresh tokens are sealed with the old key. Remove the old key at the time in the report\n" +
			"(refresh.absolute later), and keep a copy as long as you keep older backups.",
		Example: "signet keys rewrap --wait",
		Args:    cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := changeKeys(app, cmd, p)
			if err != nil {
				return err
			}
			var answer rewrapped
			if err := c.Call(cmd.Context(), api.RewrapKeys.At(), nil, &answer); err != nil {
				return err
			}
			return report(cmd.Context(), app, c, answer.Version, p, &answer, &answer.replicaStatus)
		},
	}
	p.flags(cmd)
	return cmd
}

func (r rewrapped) write(w io.Writer, now time.Time) {
	what := "the signing keys are under it since now"
	switch {
	case !r.Changed && len(r.MasterKeys) == 1:
		what = "nothing was changed: the signing keys were under it already, and the server has no other key. Where master.key has a new one now, restart every server, then repeat this"
	case !r.Changed:
		what = "nothing was changed: the signing keys were under it already"
	}
	cli.Row(w, "master key", r.MasterKeys[0]+": "+what)
	if len(r.MasterKeys) > 1 {
		old := "needed for refresh tokens until " + cli.FormatTime(r.NeededUntil) + " (" + cli.Relative(r.NeededUntil, now) + ")"
		if !r.Changed {
			old = fmt.Sprintf("needed for refresh tokens until refresh.absolute after the change, so not after %s", cli.FormatTime(r.NeededUntil))
		}
		cli.Row(w, "old key", r.MasterKeys[1]+": "+old+"; backups from before need it as long as you keep them")
	}
	if len(r.MasterKeys) > 1 {
		cli.Row(w, "records", "their seals are of the old key until they change: run `signet store seal` before you take it away")
	}
	cli.Row(w, "replicas", r.text())
}
