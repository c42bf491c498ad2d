package transfer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/configfile"
	"signet/cmd/signet/internal/connect"
	"signet/cmd/signet/internal/install"
	"signet/config"
	"signet/store"
	"signet/store/archive"
	"signet/store/seal"
)

// NewExport returns the command `signet export`.
func NewExport(app *cli.App) *cobra.Command {
	var storeURL string
	var force bool
	cmd := &cobra.Command{
		Use:   "export FILE|-",
		Short: "Write everything in a store to a file, for another store",
		Long: "Write everything in a store to FILE, for `signet import` into another store: clients, users, sessions,\n" +
			"revoked tokens, the audit trail and the signing keys. It opens the store itself: stop the server first,\n" +
			"or export from a copy that `signet backup` has made. FILE appears when it is complete. With - the export\n" +
			"goes to standard output.\n\n" +
			"FILE has password hashes and hashes of client secrets: protect it like the store. The signing keys in it\n" +
			"are sealed. FILE does not have master.key, which opens them: copy it separately.",
		Example: "signet export --config /etc/signet/signet.yaml signet.ndjson\nsignet export --store bolt:copy.db - | age -r age1… > signet.ndjson.age",
		Args:    cli.Args("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := loadConfig(app, storeURL)
			if err != nil {
				return err
			}
			if args[0] == "-" {
				return exportToStdout(cmd.Context(), app, cfg)
			}
			return exportToFile(cmd.Context(), app, cfg, args[0], force)
		},
	}
	configfile.Flag(app, cmd)
	cmd.Flags().StringVar(&storeURL, "store", "", "export the store at `URL` instead of the configuration's; bolt:PATH is one file")
	cmd.Flags().BoolVar(&force, "force", false, "replace FILE if there is one")
	return cmd
}

// exportReport is the report of an export.
type exportReport struct {
	File  string `json:"file"`
	Bytes int64  `json:"bytes"`
	archive.Trailer
}

func (r exportReport) write(w io.Writer) {
	fmt.Fprintf(w, "wrote %s, %d bytes\n", r.File, r.Bytes)
	writeTrailer(w, r.Trailer)
}

func exportToFile(ctx context.Context, app *cli.App, cfg config.Config, path string, force bool) error {
	report := exportReport{File: path}
	own, _ := cfg.BoltPath()
	refuse := func(path string) error { return connect.RefuseOwnFiles(app, path, own) }
	err := cli.WriteFile(path, force, refuse, func(w io.Writer) (err error) {
		report.Trailer, report.Bytes, err = exportStore(ctx, app, cfg, w)
		return err
	})
	if err != nil {
		return err
	}
	return app.Print(report, report.write)
}

// exportToStdout writes the archive to standard output and the report to standard error.
func exportToStdout(ctx context.Context, app *cli.App, cfg config.Config) (err error) {
	if err := app.RefuseTerminal("an export"); err != nil {
		return err
	}
	report := exportReport{File: "-"}
	if report.Trailer, report.Bytes, err = exportStore(ctx, app, cfg, app.Out); err != nil {
		return err
	}
	aside := *app
	aside.Out = app.Err
	return aside.Print(report, report.write)
}

func exportStore(ctx context.Context, app *cli.App, cfg config.Config, out io.Writer) (t archive.Trailer, n int64, err error) {
	o, err := openerOf(app, cfg)
	if err != nil {
		return t, 0, err
	}
	db, err := openExporter(ctx, o, cfg)
	if err != nil {
		return t, 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	f, err := db.Manifest(ctx)
	if errors.Is(err, store.ErrNotFound) {
		return t, 0, fmt.Errorf("store: it holds no complete install (%w), so there is nothing to move", err)
	}
	if err != nil {
		return t, 0, install.ExplainSeal(err)
	}
	if err := install.BindSeals(o.Seals, o.Master, f); err != nil {
		return t, 0, err
	}
	return copyRecords(ctx, app, db, o.Seals, f, out)
}

// copyRecords writes the records of a store into an archive, one at a time.
func copyRecords(ctx context.Context, app *cli.App, db store.Exporter, seals *seal.Keys, f store.Manifest,
	out io.Writer) (t archive.Trailer, n int64, err error) {
	buffered := bufio.NewWriterSize(out, 256<<10)
	w, err := archive.NewWriter(buffered, seals, f, time.Now())
	if err != nil {
		return t, 0, err
	}
	tally := app.Tally("exported")
	defer tally.Clear()
	err = db.Export(ctx, func(r store.Record) error {
		tally.Add()
		return w.Write(r)
	})
	if err != nil {
		return t, 0, err
	}
	if t, err = w.Finish(); err != nil {
		return t, 0, err
	}
	if err := buffered.Flush(); err != nil {
		return t, 0, fmt.Errorf("writing the archive: %w", err)
	}
	return t, w.Bytes(), nil
}

// writeTrailer writes the trailer of an archive as a table.
func writeTrailer(w io.Writer, t archive.Trailer) {
	cli.Row(w, "clients", fmt.Sprint(t.Counts.Clients))
	cli.Row(w, "users", fmt.Sprint(t.Counts.Users))
	cli.Row(w, "sessions", fmt.Sprint(t.Counts.Sessions))
	cli.Row(w, "revoked tokens", fmt.Sprint(t.Counts.RevokedTokens))
	cli.Row(w, "spent assertions", fmt.Sprint(t.Counts.Assertions))
	cli.Row(w, "audit events", fmt.Sprint(t.Counts.Events))
	cli.Row(w, "sha256", t.SHA256)
}
