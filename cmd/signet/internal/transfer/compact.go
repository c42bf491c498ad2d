package transfer

import (
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/configfile"
	"signet/cmd/signet/internal/install"
	"signet/config"
	"signet/store"
	"signet/store/bolt"
)

// NewCompact returns the command `signet store compact`.
func NewCompact(app *cli.App) *cobra.Command {
	return configfile.Flag(app, &cobra.Command{
		Use:   "compact",
		Short: "Shrink the file of a bolt store",
		Long: "Rewrite the file of a bolt store without the space of deleted records. Stop the server first. The whole\n" +
			"file is read and checked. The new file has the same mode and owner and replaces the old one in one step,\n" +
			"so an interruption leaves a complete file. The disk must have room for both.",
		Example: "signet store compact --config /etc/signet/signet.yaml",
		Args:    cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			cfg, err := configfile.Load(app)
			if err != nil {
				return err
			}
			path, embedded := cfg.BoltPath()
			if !embedded {
				return fmt.Errorf("store: %s is not a bolt file; Redis frees space by itself", install.StoreName(cfg))
			}
			master, err := install.ReadMasterKeys(cfg.MasterKeyFile, app.Getenv)
			if err != nil {
				return err
			}
			c, err := bolt.Compact(cmd.Context(), path, install.NewSeals(master))
			if errors.Is(err, store.ErrLocked) {
				return fmt.Errorf("%w; stop the server first", install.ExplainBolt(err, path))
			}
			if err != nil {
				return install.ExplainBolt(err, path)
			}
			return printCompacted(app, cfg, c)
		},
	})
}

func printCompacted(app *cli.App, cfg config.Config, c bolt.Compacted) error {
	path := install.StoreName(cfg)
	return app.Print(map[string]any{"store": path, "bytes_before": c.Before, "bytes_after": c.After}, func(w io.Writer) {
		fmt.Fprintf(w, "compacted %s from %d to %d bytes\n", path, c.Before, c.After)
	})
}
