package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/configfile"
	"signet/config"
	"signet/keys/jose"
	"signet/keys/masterkey"
)

// initOptions are the flags of `signet init`.
type initOptions struct {
	dir, issuer, listen, store string
	config                     string // an existing file, in the place of all the others
	algorithms                 []string
	hsm                        hsmOptions
}

// New returns the command `signet init`.
func New(app *cli.App) *cobra.Command {
	var opt initOptions
	cmd := &cobra.Command{
		Use:   "init --dir DIR --issuer URL",
		Short: "Make a new install: configuration, master key, store and first keys",
		Long: `Make a new install in DIR: signet.yaml, master.key, the store and its first signing keys.

Keep a copy of master.key, but not in the same place as the backups of the store: a backup
cannot be used without this key. Existing files are not overwritten.

With --config the configuration and the master key are there already, as containers have them. Only the
store and its first signing keys are made, unless they are there too; then nothing is changed.`,
		Example: "  signet init --dir /etc/signet --issuer https://auth.example.com\n" +
			"  signet serve --config /etc/signet/signet.yaml",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if opt.config != "" {
				return initStore(cmd, app, opt.config)
			}
			if opt.dir == "" || opt.issuer == "" {
				return cli.Usagef("--dir and --issuer are both needed: the directory of the install, and the URL of the server")
			}
			return initInstall(cmd.Context(), app, opt)
		},
	}
	cmd.Flags().StringVar(&opt.dir, "dir", "", "make the install in `DIR`, which is created if it does not exist")
	cmd.Flags().StringVar(&opt.issuer, "issuer", "", "the `URL` of this server as apps and services see it, such as https://auth.example.com")
	cmd.Flags().StringVar(&opt.listen, "listen", "127.0.0.1:8080", "listen on `HOST:PORT`")
	cmd.Flags().StringVar(&opt.store, "store", "bolt:signet.db", "the store at `URL`: bolt:PATH (a file, relative to DIR, for one server) or, for several servers,\nredis://HOST, redis+sentinel://HOST,HOST/MASTER, redis+cluster://HOST,HOST; rediss… with TLS")
	cmd.Flags().StringVar(&opt.config, "config", "", "make the store that the configuration `FILE` names, if it is not there")
	opt.hsm.flags(cmd)
	cmd.Flags().StringSliceVar(&opt.algorithms, "algorithms", []string{jose.ES256}, "sign with `ALG[,ALG]`: ES256, RS256, PS256, EdDSA; the first is the default")
	return cmd
}

func initInstall(ctx context.Context, app *cli.App, opt initOptions) (err error) {
	path := filepath.Join(opt.dir, configfile.Name)
	if err := opt.hsm.resolve(); err != nil {
		return err
	}
	if _, err := os.Stat(path); err == nil {
		return fmt.Errorf("%s is there already, and it is not overwritten; choose another --dir", path)
	}
	cfg, _, err := config.Parse(path, []byte(opt.yaml()), app.Environ)
	if err != nil {
		return err
	}
	var undo cleanup
	defer func() {
		if err != nil {
			undo.run()
		}
	}()
	undo.addMissing(opt.dir)
	if err := MakePrivateDir(opt.dir); err != nil {
		return err
	}
	if err := configfile.CheckAccess(cfg); err != nil {
		return err
	}
	if err := cli.WriteNewFile(path, opt.yaml()); err != nil {
		return err
	}
	undo.add(path)
	master, err := initMasterKey(app, cfg.MasterKeyFile, &undo)
	if err != nil {
		return err
	}
	o := Opener{Getenv: app.Getenv, Warn: app.Warn, Seals: NewSeals([]masterkey.Key{master}), Master: []masterkey.Key{master}}
	if err := o.create(ctx, cfg, master); err != nil {
		return err
	}
	return reportInit(app, path, cfg)
}

// initStore makes the store of a configuration that is there. The same command may run at each start of a container.
func initStore(cmd *cobra.Command, app *cli.App, path string) error {
	var other []string
	cmd.Flags().Visit(func(f *pflag.Flag) {
		if f.Name != "config" && f.Name != "output" {
			other = append(other, "--"+f.Name)
		}
	})
	if len(other) > 0 {
		return cli.Usagef("--config names a configuration that is there, which has what %s would set; leave one of them out", strings.Join(other, ", "))
	}
	cfg, warnings, err := configfile.ReadPath(app, path, app.Environ)
	if err != nil {
		return err
	}
	configfile.PrintWarnings(app, warnings)
	if err := MakeDataDir(cfg.DataDir); err != nil {
		return err
	}
	if err := configfile.CheckAccess(cfg); err != nil {
		return err
	}
	o, err := WithMaster(app, Opener{Getenv: app.Getenv, Warn: app.Warn}, cfg)
	if err != nil {
		return err
	}
	made, err := o.ensure(cmd.Context(), cfg, o.Master[0])
	if err != nil {
		return err
	}
	store := StoreName(cfg)
	if app.JSON() {
		return app.PrintJSON(map[string]any{"config": path, "store": store, "issuer": cfg.Issuer, "made": made})
	}
	text := "There is an install in %s already. Nothing was changed.\n"
	if made {
		text = "Made a new install in %s.\n"
	}
	_, err = fmt.Fprintf(app.Out, text, store)
	return err
}

// yaml returns the new configuration: the chosen settings, and comments about the usual others.
func (opt initOptions) yaml() string {
	return fmt.Sprintf(`# Signet's configuration. Every setting has a default and a variable (refresh.grace is
# SIGNET_REFRESH_GRACE). After a change: signet config check --config FILE
issuer: %q
listen: %q
store: %q
algorithms: [%s]
master_key_file: master.key

# When a proxy in front of Signet speaks TLS:
# tls:
#   terminated_by_proxy: true
# trusted_proxies: [10.0.0.1]   # its addresses; without them all users count as one caller
# When Signet speaks TLS itself:
# tls:
#   cert: fullchain.pem
#   key: privkey.pem
%s`, opt.issuer, opt.listen, opt.store, strings.Join(opt.algorithms, ", "), opt.hsm.yaml())
}

// initMasterKey makes the file of the master key, unless the environment has the key.
func initMasterKey(app *cli.App, path string, undo *cleanup) (masterkey.Key, error) {
	if app.Getenv(MasterKeyVariable) != "" {
		master, err := ReadMasterKeys(path, app.Getenv)
		if err != nil {
			return masterkey.Key{}, err
		}
		return master[0], nil
	}
	master, err := WriteMasterKey(path)
	if err == nil {
		undo.add(path)
	}
	return master, err
}

func reportInit(app *cli.App, path string, cfg config.Config) error {
	store := StoreName(cfg)
	if app.JSON() {
		return app.PrintJSON(map[string]string{"config": path, "master_key_file": cfg.MasterKeyFile, "store": store, "issuer": cfg.Issuer})
	}
	quoted := cli.ShellQuote(path)
	_, err := fmt.Fprintf(app.Out, `Made a new install for %s:

  %s
  %s   keep a copy elsewhere; nothing opens without it
  %s

Next:

  signet serve --config %s
  signet client create --config %s --id web --grant password,refresh_token --scope profile
  signet user create --config %s --username ada
`, cfg.Issuer, path, cfg.MasterKeyFile, store, quoted, quoted, quoted)
	return err
}

// cleanup removes the files and directories of a command that failed.
type cleanup struct{ paths []string }

func (c *cleanup) add(path string) { c.paths = append(c.paths, path) }

// addMissing adds dir and its parents as far as they do not exist yet.
func (c *cleanup) addMissing(dir string) {
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		c.addMissing(filepath.Dir(dir))
		c.add(dir)
	}
}

// run removes in reverse order. A directory that is not empty stays.
func (c *cleanup) run() {
	for _, path := range slices.Backward(c.paths) {
		os.Remove(path)
	}
}

// MakePrivateDir makes a directory that only its owner can enter, and its parents.
func MakePrivateDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("making the directory: %w; choose another --dir, or run this as a user who may write there", err)
	}
	return nil
}

// MakeDataDir makes the data directory of a configuration if it is not there.
func MakeDataDir(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("data_dir: %w; make it, and give it to the user that runs this", err)
	}
	return nil
}

// hsmOptions are the flags of `signet init` about an HSM.
type hsmOptions struct{ module, token, pinFile string }

func (opt *hsmOptions) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&opt.module, "hsm-module", "", "make the signing keys in an HSM, by the PKCS#11 library `FILE`")
	cmd.Flags().StringVar(&opt.token, "hsm-token", "", "the `LABEL` of the token in it")
	cmd.Flags().StringVar(&opt.pinFile, "hsm-pin-file", "", "the `FILE` with the token's PIN; or set SIGNET_HSM_PIN")
}

// resolve makes the paths absolute: the configuration is read with another working directory.
func (opt *hsmOptions) resolve() error {
	if opt.module == "" && opt.token == "" && opt.pinFile == "" {
		return nil
	}
	if opt.module == "" || opt.token == "" {
		return cli.Usagef("--hsm-module and --hsm-token belong together: the library, and the token in it")
	}
	for _, path := range []*string{&opt.module, &opt.pinFile} {
		if *path == "" {
			continue
		}
		abs, err := filepath.Abs(*path)
		if err != nil {
			return fmt.Errorf("finding %s: %w", *path, err)
		}
		*path = abs
	}
	return nil
}

// yaml returns the settings of the HSM for the new configuration.
func (opt *hsmOptions) yaml() string {
	if opt.module == "" {
		return ""
	}
	text := fmt.Sprintf("\nkeys:\n  hsm:\n    module: %q\n    token: %q\n", opt.module, opt.token)
	if opt.pinFile != "" {
		text += fmt.Sprintf("    pin_file: %q\n", opt.pinFile)
	}
	return text
}
