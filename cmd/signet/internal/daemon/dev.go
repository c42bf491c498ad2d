package daemon

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"runtime/debug"
	"slices"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/configfile"
	"signet/cmd/signet/internal/demo"
	"signet/cmd/signet/internal/install"
	"signet/cmd/signet/internal/tracing"
	"signet/config"
	"signet/keys/masterkey"
	"signet/server/syntax"
)

// NewDev returns the command `signet dev`.
func NewDev(app *cli.App) *cobra.Command {
	var dir, listen string
	cmd := &cobra.Command{
		Use:   "dev",
		Short: "Try Signet: a server with a demo user and clients, nothing to set up",
		Long: `Run a server to develop against, on this machine only.

The first start makes DIR with a store, keys, a demo user and two demo clients, and prints
commands that use them. Later starts use the same DIR. It is for development only: it
uses plain HTTP and writes the demo's secrets to DIR/demo.json. Settings are changed with
environment variables, such as SIGNET_REFRESH_GRACE=30s. For other uses make an install with
` + "`signet init`" + `.`,
		Example: "  signet dev\n  signet dev --listen 127.0.0.1:9000 -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			fromVariable(app, cmd, "dir", "SIGNET_DATA_DIR")
			fromVariable(app, cmd, "listen", "SIGNET_LISTEN")
			if !cmd.Flags().Changed("dir") {
				if err := cli.CheckFound(dir, "--dir ./"+dir); err != nil {
					return err
				}
			}
			return dev(cmd.Context(), app, dir, listen)
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "signet-data", "keep everything in `DIR`")
	cmd.Flags().StringVar(&listen, "listen", "127.0.0.1:8080", "listen on `HOST:PORT`, a loopback address; port 0 is any free port")
	return cmd
}

// fromVariable sets a flag that is not on the command line to the value of a variable.
func fromVariable(app *cli.App, cmd *cobra.Command, flag, variable string) {
	if value := app.Getenv(variable); value != "" && !cmd.Flags().Changed(flag) {
		_ = cmd.Flags().Set(flag, value) // text always sets a text flag
	}
}

func dev(ctx context.Context, app *cli.App, dir, listen string) error {
	host, err := devHost("--listen", listen)
	if err != nil {
		return err
	}
	if admin := app.Getenv("SIGNET_ADMIN_LISTEN"); admin != "" {
		if _, err := devHost("SIGNET_ADMIN_LISTEN", admin); err != nil {
			return err
		}
	}
	if _, err := os.Stat(filepath.Join(dir, configfile.Name)); err == nil {
		return fmt.Errorf("%s is an install made by `signet init`; run it with `signet serve --config %s`, or choose another --dir",
			dir, cli.ShellQuote(filepath.Join(dir, configfile.Name)))
	}
	if abs, err := filepath.Abs(dir); err == nil {
		if err := checkSocketPath(filepath.Join(abs, "admin.sock")); err != nil {
			return err // before anything is made
		}
	}
	if err := install.MakePrivateDir(dir); err != nil {
		return err
	}
	// The listener comes first: with port 0 it determines the issuer, and a port in use must leave nothing behind.
	public, err := listenTCP("--listen", listen)
	if err != nil {
		return err
	}
	cfg, warnings, err := devConfig(app, dir, host, public)
	if err != nil {
		public.Close()
		return err
	}
	if err := configfile.CheckAccess(cfg); err != nil {
		public.Close()
		return err
	}
	log, level := newLog(app.Err, cfg.Log)
	for _, w := range warnings {
		log.Warn("configuration", slog.String("warning", string(w)))
	}
	return runDev(ctx, app, cfg, dir, public, log, level)
}

// devHost returns the host of the issuer. Development mode uses plain HTTP and has known secrets, so only loopback
// addresses are accepted.
func devHost(setting, listen string) (string, error) {
	host, _, err := net.SplitHostPort(listen)
	if err != nil {
		return "", cli.Usagef("%s %s is not HOST:PORT, such as 127.0.0.1:8080", setting, listen)
	}
	if !syntax.Loopback(host) {
		return "", cli.Usagef("%s %s could be reached from other machines, and `signet dev` is for this one only: "+
			"use 127.0.0.1, or make a real install with `signet init`", setting, listen)
	}
	return host, nil
}

// devConfig returns the defaults of development mode, overridden by the environment, and the settings that are fixed.
func devConfig(app *cli.App, dir, host string, public net.Listener) (config.Config, []config.Warning, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return config.Config{}, nil, fmt.Errorf("finding the directory: %w", err)
	}
	_, port, _ := net.SplitHostPort(public.Addr().String())
	issuer := url.URL{Scheme: "http", Host: net.JoinHostPort(host, port)}
	environ := slices.Concat([]string{
		"SIGNET_ISSUER=" + issuer.String(), "SIGNET_DEFAULT_CLIENT=" + demo.PublicClient,
		"SIGNET_LOG_FORMAT=text", "SIGNET_SHUTDOWN_DELAY=0s", "SIGNET_SHUTDOWN_DRAIN=5s",
	}, app.Environ, []string{
		"SIGNET_DATA_DIR=" + dir, "SIGNET_LISTEN=" + public.Addr().String(), "SIGNET_MASTER_KEY_FILE=" + filepath.Join(dir, "master.key"),
		"SIGNET_TLS_CERT=", "SIGNET_TLS_KEY=",
	})
	return config.Load("", environ)
}

func runDev(ctx context.Context, app *cli.App, cfg config.Config, dir string, public net.Listener, log *slog.Logger, level *slog.LevelVar) error {
	l := listeners{public: public, dev: true}
	defer func() { l.close() }()
	traces, err := tracing.Start(ctx, tracing.Config{Getenv: app.Getenv, Version: app.Version, Log: log})
	if err != nil {
		return err
	}
	defer closeTraces(traces, log)
	log = traces.Logger(log)
	master, err := devInstall(ctx, cfg, app.Getenv)
	if err != nil {
		return err
	}
	srv, err := Open(ctx, Options{Config: cfg, Master: master, Version: app.Version, Getenv: app.Getenv, Now: app.Now,
		Log: log, Level: level, Traces: traces, IsProgram: app.IsProgram})
	if err != nil {
		return err
	}
	d, fresh, err := demo.Open(ctx, filepath.Join(dir, "demo.json"), srv.store, srv.passwords)
	if err == nil {
		l.socket, err = listenAdmin(cfg.Admin.Socket)
	}
	if err == nil && cfg.Admin.Listen != "" {
		l.adminTCP, err = listenTCP(adminListenField, cfg.Admin.Listen)
	}
	if err != nil {
		srv.Close()
		return err
	}
	if fresh {
		debug.FreeOSMemory() // free the memory of hashing the demo's password
	}
	d.Issuer, d.AdminSocket = cfg.Issuer, cfg.Admin.Socket
	if err := d.Print(app, fresh, dir); err != nil {
		srv.Close()
		return err
	}
	serving := []any{slog.String("issuer", cfg.Issuer)}
	if l.adminTCP != nil {
		serving = append(serving, slog.String("admin_listen", l.adminTCP.Addr().String()))
	}
	log.Info("serving", serving...)
	if err := srv.serve(ctx, l); err != nil {
		srv.Close()
		return err
	}
	return srv.Close()
}

// devInstall makes the install at the first start and reads its master key at later ones. The key is written first, so
// an interrupted start can leave a key without a store: the next start uses it.
func devInstall(ctx context.Context, cfg config.Config, getenv func(string) string) ([]masterkey.Key, error) {
	path, embedded := cfg.BoltPath()
	if !embedded {
		return nil, errors.New("store: development mode keeps everything in one file; unset SIGNET_STORE, or make an install with `signet init`")
	}
	noVariable := func(string) string { return "" } // the demo's key is the demo's own
	if _, err := os.Stat(path); err == nil {
		return install.ReadMasterKeys(cfg.MasterKeyFile, noVariable)
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("store: %w", err)
	}
	if _, err := os.Stat(cfg.MasterKeyFile); errors.Is(err, fs.ErrNotExist) {
		if _, err := install.WriteMasterKey(cfg.MasterKeyFile); err != nil {
			return nil, err
		}
	}
	master, err := install.ReadMasterKeys(cfg.MasterKeyFile, noVariable)
	if err != nil {
		return nil, err
	}
	return master, install.Opener{Getenv: getenv, Seals: install.NewSeals(master), Master: master}.CreateBolt(ctx, path, cfg, master[0])
}
