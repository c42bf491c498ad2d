package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/configfile"
	"signet/cmd/signet/internal/install"
	"signet/config"
	"signet/keys/mark"
	"signet/store"
	"signet/store/archive"
)

// NewImport returns the command `signet import`.
func NewImport(app *cli.App) *cobra.Command {
	var storeURL string
	var unverified bool
	cmd := &cobra.Command{
		Use:   "import FILE|-",
		Short: "Fill an empty store with an export",
		Long: "Fill an empty store with an export of `signet export`: the store of the configuration, or the one that\n" +
			"--store names. FILE is read and checked to its end before anything is written. With - it is read from\n" +
			"standard input, with a temporary copy in the data directory.\n\n" +
			"Give the new server the master key of the old one. Then all sessions and tokens stay valid. Do not start\n" +
			"the old server again: the new one would not have its changes.",
		Example: "signet import --config /etc/signet/signet.yaml signet.ndjson\nage -d signet.ndjson.age | signet import --config /etc/signet/signet.yaml -",
		Args:    cli.Args("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg, err := loadConfig(app, storeURL)
			if err != nil {
				return err
			}
			report, err := importArchive(cmd.Context(), app, cfg, args[0], importOptions{elsewhere: storeURL != "", unverified: unverified})
			if err != nil {
				return err
			}
			return app.Print(report, func(w io.Writer) { writeImport(app, w, report, storeURL != "") })
		},
	}
	configfile.Flag(app, cmd)
	cmd.Flags().StringVar(&storeURL, "store", "", "fill the store at `URL` instead of the configuration's; bolt:PATH is one file")
	cmd.Flags().BoolVar(&unverified, "unverified", false, "accept a FILE of an older signet, which has no MAC: it may have been edited")
	return cmd
}

// importReport is the report of an import.
type importReport struct {
	Store      string    `json:"store"`
	ExportedAt time.Time `json:"exported_at"`
	archive.Trailer
}

func writeImport(app *cli.App, w io.Writer, r importReport, elsewhere bool) {
	fmt.Fprintf(w, "filled %s with what was exported at %s\n", r.Store, cli.FormatTime(r.ExportedAt))
	writeTrailer(w, r.Trailer)
	path := configfile.Path(app)
	if path == "" {
		path = "FILE"
	} else {
		path = cli.ShellQuote(path)
	}
	fmt.Fprint(w, "\nNext, with the master key of the install that this came from")
	if elsewhere {
		fmt.Fprintf(w, " and with\nstore: %q in the configuration", r.Store)
	}
	fmt.Fprintf(w, ":\n\n  signet serve --config %s\n", path)
}

// importOptions are the options of an import.
type importOptions struct {
	elsewhere  bool // into another store than that of the configuration
	unverified bool // also without a MAC
}

// importArchive reads the archive twice: all of it is checked before anything is written, and it need not fit in memory.
func importArchive(ctx context.Context, app *cli.App, cfg config.Config, path string, opt importOptions) (report importReport, err error) {
	o, err := openerOf(app, cfg)
	if err != nil {
		return report, err
	}
	target, err := openImporter(ctx, o, cfg)
	if err != nil {
		return report, err
	}
	defer func() { err = errors.Join(err, target.Close()) }()
	in, err := openArchive(app, path, cfg.DataDir)
	if err != nil {
		return report, err
	}
	defer in.close()
	in.seals, in.unverified = o.Seals, opt.unverified
	checked, err := checkArchive(ctx, app, in)
	if err != nil {
		return report, fmt.Errorf("%s: %w; nothing was imported", path, err)
	}
	if !opt.elsewhere {
		if err := checkImportMark(cfg, path, checked.Header.Manifest); err != nil {
			return report, err
		}
	}
	f, err := o.SealedManifest(checked.Header.Manifest)
	if err != nil {
		return report, fmt.Errorf("%s: %w; nothing was imported", path, err)
	}
	if err := fillStore(ctx, app, target, in, f); errors.Is(err, store.ErrExists) {
		return report, errNotEmpty(cfg, err)
	} else if err != nil {
		return report, fmt.Errorf("importing %s: %w", path, err)
	}
	if !opt.elsewhere {
		if err := dropForeignMark(cfg, checked.Header.Manifest.Install.ID); err != nil {
			return report, err
		}
	}
	return importReport{Store: cfg.Store, ExportedAt: checked.Header.ExportedAt, Trailer: checked.Trailer}, nil
}

// checkArchive reads and checks the whole archive.
func checkArchive(ctx context.Context, app *cli.App, in *archiveFile) (*archive.Reader, error) {
	watched := app.Watch("checked", in, in.size)
	defer watched.Clear()
	r, err := archive.NewReader(watched, in.seals, in.unverified)
	if err != nil {
		return nil, err
	}
	for _, err := range r.Records() {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return nil, err
		}
	}
	return r, nil
}

// fillStore reads the archive again into the store. It is checked again, because it may have changed meanwhile.
func fillStore(ctx context.Context, app *cli.App, target store.Importer, in *archiveFile, f store.Manifest) error {
	if _, err := in.Seek(0, io.SeekStart); err != nil {
		return err
	}
	watched := app.Watch("imported", in, in.size)
	defer watched.Clear()
	r, err := archive.NewReader(watched, in.seals, in.unverified)
	if err != nil {
		return err
	}
	dropped := 0
	err = target.Import(ctx, f, store.DropLaterEpochs(r.Records(), func(store.Session) { dropped++ }))
	if dropped > 0 && err == nil {
		app.Warn(fmt.Errorf("sessions left out, because they began after a sign-out that the archive does not have: %d. Their users sign in again", dropped))
	}
	return err
}

// checkImportMark returns an error if the keyring of the archive is older than the one that the server of the
// configuration has used. Revoked keys would come back; restore handles that.
func checkImportMark(cfg config.Config, path string, f store.Manifest) error {
	mark, ok := mark.Peek(install.MarkFile(cfg))
	if !ok || mark.Install != f.Install.ID || f.KeyringVersion >= mark.Version {
		return nil
	}
	return fmt.Errorf("%s holds version %d of the keyring, and the server of this configuration has held version %d (%s); "+
		"keys that were revoked since would come back: use `signet restore`, nothing was imported", path, f.KeyringVersion, mark.Version, install.MarkFile(cfg))
}

// dropForeignMark removes the mark of an earlier install, after another one was imported.
func dropForeignMark(cfg config.Config, id string) error {
	path := install.MarkFile(cfg)
	if mark, ok := mark.Peek(path); !ok || mark.Install == id {
		return nil
	}
	if err := os.Remove(string(path)); err != nil {
		return fmt.Errorf("data_dir: %w; it is the mark of another install: remove it before the server starts", err)
	}
	return nil
}
