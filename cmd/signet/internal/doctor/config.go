package doctor

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/configfile"
	"signet/cmd/signet/internal/daemon"
	"signet/cmd/signet/internal/install"
	"signet/config"
)

// NewConfig returns the command `signet config`.
func NewConfig(app *cli.App) *cobra.Command {
	return cli.Group("config", "Check a configuration",
		"Check a configuration. deploy/signet.example.yaml has every setting with its meaning and default. Each can\n"+
			"be set by an environment variable instead, such as SIGNET_REFRESH_GRACE for refresh.grace.",
		configCheck(app))
}

func configCheck(app *cli.App) *cobra.Command {
	return configfile.Flag(app, &cobra.Command{
		Use:   "check",
		Short: "Report all errors of a configuration",
		Long: "Report all errors of a configuration and of the files it names, before a server is started or reloaded\n" +
			"with it. It changes nothing and needs no server.",
		Example: "signet config check --config /etc/signet/signet.yaml",
		Args:    cli.Args(),
		RunE: func(*cobra.Command, []string) error {
			c, warnings, err := configfile.ReadOrDev(app)
			configfile.PrintWarnings(app, warnings)
			if err != nil {
				return err
			}
			if err := checkParts(app, c); err != nil {
				return err
			}
			return app.Print(map[string]any{"ok": true, "issuer": c.Issuer, "listen": c.Listen, "store": c.Store},
				func(w io.Writer) {
					cli.Row(w, "issuer", c.Issuer)
					cli.Row(w, "listen", c.Listen)
					cli.Row(w, "store", c.Store)
					cli.Row(w, "admin socket", c.Admin.Socket)
					cli.Row(w, "the configuration is good")
				})
		},
	})
}

// checkParts checks the parts of a server with the functions of its start.
func checkParts(app *cli.App, c config.Config) error {
	problems := []error{configfile.CheckAccess(c), c.Keys.CheckTimetable()}
	if _, err := install.ReadMasterKeys(c.MasterKeyFile, app.Getenv); err != nil {
		problems = append(problems, err)
	}
	if _, embedded := c.BoltPath(); !embedded {
		if _, err := install.RedisConfig(c, app.Getenv); err != nil {
			problems = append(problems, err)
		}
	}
	if _, err := install.OpenHSM(c, app.Getenv); err != nil {
		problems = append(problems, err)
	}
	if _, err := install.BackChannel(c); err != nil {
		return err
	}
	if _, err := install.Upstream(c, app.Getenv); err != nil {
		problems = append(problems, err)
	}
	if _, err := install.PasswordPepper(c, app.Getenv); err != nil {
		problems = append(problems, err)
	}
	if _, err := daemon.ServerConfig(c, slog.New(slog.DiscardHandler)); err != nil {
		problems = append(problems, err)
	}
	if c.TLS.Cert != "" {
		if _, err := tls.LoadX509KeyPair(c.TLS.Cert, c.TLS.Key); err != nil {
			problems = append(problems, fmt.Errorf("tls.cert: %w", err))
		}
	}
	return errors.Join(problems...)
}
