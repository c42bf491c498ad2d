package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/configfile"
	"signet/cmd/signet/internal/install"
	"signet/cmd/signet/internal/tracing"
	"signet/config"
	"signet/server"
)

// NewServe returns the command `signet serve`.
func NewServe(app *cli.App) *cobra.Command {
	var listen string
	cmd := &cobra.Command{
		Use:   "serve --config FILE",
		Short: "Run the server",
		Long: `Run the server that FILE describes, until SIGTERM or Ctrl-C.

On SIGTERM /readyz answers 503 at once. The server waits for shutdown.delay, so that load
balancers stop sending requests, and finishes the requests under way. SIGHUP reads FILE
again and applies the settings that can change while the server runs. A FILE with an error
changes nothing.`,
		Example: "  signet serve --config /etc/signet/signet.yaml",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			path := configfile.Path(app)
			if path == "" {
				return cli.Usagef("--config is missing; make an install with `signet init`, or try `signet dev`")
			}
			environ := app.Environ
			if listen != "" {
				environ = append(slices.Clip(environ), "SIGNET_LISTEN="+listen)
			}
			return serve(cmd.Context(), app, path, environ)
		},
	}
	cmd.Flags().StringVar(&app.Connection.Config, "config", "", "the configuration `FILE` (default: SIGNET_CONFIG, or ./signet.yaml)")
	cmd.Flags().StringVar(&listen, "listen", "", "listen on `HOST:PORT` instead of the address of the configuration")
	return cmd
}

func serve(ctx context.Context, app *cli.App, path string, environ []string) error {
	cfg, warnings, err := configfile.ReadPath(app, path, environ)
	if err != nil {
		return err
	}
	if _, embedded := cfg.BoltPath(); !embedded { // of a server whose store is elsewhere, such as one with a new volume
		if err := install.MakeDataDir(cfg.DataDir); err != nil {
			return err
		}
	}
	if err := errors.Join(hardenProcess(), configfile.CheckAccess(cfg)); err != nil {
		return err
	}
	log, level := newLog(app.Err, cfg.Log)
	traces, err := tracing.Start(ctx, tracing.Config{Getenv: app.Getenv, Version: app.Version, Log: log})
	if err != nil {
		return err
	}
	defer closeTraces(traces, log)
	log = traces.Logger(log)
	for _, w := range warnings {
		log.Warn("configuration", slog.String("warning", fmt.Sprint(w)))
	}
	master, err := install.ReadMasterKeys(cfg.MasterKeyFile, app.Getenv)
	if err != nil {
		return err
	}
	var certs *certificates
	if cfg.TLS.Cert != "" {
		if certs, err = loadCertificates(cfg.TLS.Cert, cfg.TLS.Key, log); err != nil {
			return err
		}
	}
	hangup := make(chan os.Signal, 1) // before the start: SIGHUP must not end a server that waits for its store
	signal.Notify(hangup, syscall.SIGHUP)
	srv, l, err := start(ctx, cfg, certs, log, func() (*Daemon, error) {
		return Open(ctx, Options{Config: cfg, Master: master, Version: app.Version, Getenv: app.Getenv, Now: app.Now,
			Log: log, Level: level, Traces: traces, IsProgram: app.IsProgram})
	})
	if err != nil {
		return err
	}
	if srv == nil {
		log.Info("stopped", slog.String("before", "the store answered"))
		return nil
	}
	srv.overrides = func() []config.Override { return config.Overrides(path, environ) }
	read := func() (config.Config, []config.Warning, error) { return configfile.ReadPath(app, path, environ) }
	stop := srv.reloadOnHangup(hangup, read) // before the log reports that it serves
	defer stop()
	for _, p := range srv.keys.Keyring().KeptPlans(srv.keys.Timetable(), srv.keys.Configured(), srv.keys.Clock().Now()) {
		log.Warn("keys.* was changed and does not take effect yet", slog.String("warning", install.KeptPlanText(cfg, p)))
	}
	serving := []any{slog.String("issuer", cfg.Issuer), slog.String("listen", l.public.Addr().String()),
		slog.Bool("tls", certs != nil), slog.String("admin_socket", cfg.Admin.Socket)}
	if l.adminTCP != nil {
		serving = append(serving, slog.String("admin_listen", l.adminTCP.Addr().String()))
	}
	log.Info("serving", append(serving, slog.String("version", app.Version))...)
	if err := srv.serve(ctx, l); err != nil {
		srv.Close()
		return err
	}
	log.Info("stopped")
	return srv.Close()
}

// closeTraces sends the last traces. A receiver that does not answer must not hold the end of the process.
func closeTraces(traces *tracing.Tracing, log *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), tracesWithin)
	defer cancel()
	if err := traces.Close(ctx); err != nil {
		log.Warn("the last traces could not be sent", slog.Any("error", err))
	}
}

const tracesWithin = 3 * time.Second

// start opens the server and the listeners. If a store across the network cannot be reached yet, it answers 503 and
// tries again. n is nil without an error if ctx ended before the store answered.
func start(ctx context.Context, cfg config.Config, certs *certificates, log *slog.Logger, open func() (*Daemon, error)) (srv *Daemon, l listeners, err error) {
	srv, first := open()
	if first != nil && !mayRecover(cfg, first) {
		return nil, l, first
	}
	if l, err = openListeners(cfg, certs); err != nil {
		if srv != nil {
			srv.Close()
		}
		return nil, l, err
	}
	if first == nil {
		return srv, l, nil
	}
	w := startup{log: log, listeners: l}
	if srv, err = w.wait(ctx, cfg, first, open); srv == nil {
		l.close()
	}
	return srv, l, err
}

// reloadOnHangup applies the configuration again at each SIGHUP, until stop is called.
func (srv *Daemon) reloadOnHangup(hangup chan os.Signal, load func() (config.Config, []config.Warning, error)) (stop func()) {
	done := make(chan struct{})
	go func() {
		defer close(done)
		current, overridden := srv.cfg, srv.overrides()
		for range hangup {
			current = srv.reload(current, load)
			overridden = srv.noteOverrides(overridden)
		}
	}()
	return func() {
		signal.Stop(hangup)
		close(hangup)
		<-done
	}
}

// reload reads the configuration again and returns the one in effect. A configuration with an error changes nothing.
func (srv *Daemon) reload(current config.Config, load func() (config.Config, []config.Warning, error)) config.Config {
	fresh, _, err := load()
	var settings server.Config
	if err == nil {
		settings, err = ServerConfig(fresh, srv.log)
	}
	if err != nil {
		srv.server.ReloadFailed()
		srv.log.Error("the new configuration cannot be used; the one before stays", slog.Any("error", err))
		return current
	}
	changed, _ := config.Reloadable(current, fresh)
	_, needRestart := config.Reloadable(srv.cfg, fresh) // compared with the configuration of the start
	srv.server.Apply(settings.Settings)
	srv.level.Set(logLevel(fresh.Log.Level))
	srv.log.Info("configuration read again", slog.String("changed", strings.Join(changed, " ")))
	if len(needRestart) > 0 {
		srv.log.Warn("some settings take effect at the next start only", slog.String("settings", strings.Join(needRestart, " ")))
	}
	return fresh
}

// noteOverrides logs the environment variables that override a setting which was changed in the file. The change has no
// effect, which the operator may not expect.
func (srv *Daemon) noteOverrides(before []config.Override) (now []config.Override) {
	now = srv.overrides()
	for _, o := range config.ChangedOverrides(before, now) {
		srv.log.Warn("a setting was changed in the file, and an environment variable overrides it: the change has no effect",
			slog.String("setting", o.Setting), slog.String("variable", o.Variable))
	}
	return now
}

// newLog returns the log of the server and its level, which can change while the server runs.
func newLog(w io.Writer, cfg config.Log) (*slog.Logger, *slog.LevelVar) {
	level := new(slog.LevelVar)
	level.Set(logLevel(cfg.Level))
	options := &slog.HandlerOptions{Level: level}
	if cfg.Format == "text" {
		return slog.New(slog.NewTextHandler(w, options)), level
	}
	return slog.New(slog.NewJSONHandler(w, options)), level
}

// logLevel parses a level that the configuration has checked.
func logLevel(name string) slog.Level {
	var level slog.Level
	if level.UnmarshalText([]byte(name)) != nil {
		return slog.LevelInfo
	}
	return level
}
