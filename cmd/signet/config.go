package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"signet/config"
)

func (a *app) configCommand() *cobra.Command {
	return noun("config", "Check a configuration",
		"Check a configuration. deploy/signet.example.yaml has every key with its meaning and default; each can\n"+
			"be set by an environment variable instead, such as SIGNET_REFRESH_GRACE for refresh.grace.",
		a.configCheck())
}

// configFlag gives cmd the flag that names the configuration.
func (a *app) configFlag(cmd *cobra.Command) *cobra.Command {
	cmd.Flags().StringVar(&a.conn.config, "config", "", "the configuration `FILE` (default: SIGNET_CONFIG, or ./signet.yaml)")
	return cmd
}

// loadConfig reads the configuration that is meant and passes its warnings on.
func (a *app) loadConfig() (config.Config, error) {
	c, warnings, err := config.Load(a.configPath(), a.environ)
	for _, w := range warnings {
		fmt.Fprintf(a.err, "signet: warning: %s\n", w)
	}
	return c, err
}

func (a *app) configCheck() *cobra.Command {
	return a.configFlag(&cobra.Command{
		Use:   "check",
		Short: "Say everything that is wrong with a configuration",
		Long: "Say everything that is wrong with a configuration and the files it names, before a server is started or\n" +
			"reloaded with it. It changes nothing and needs no server.",
		Example: "signet config check --config /etc/signet/signet.yaml",
		Args:    positional(),
		RunE: func(*cobra.Command, []string) error {
			c, err := a.loadConfig()
			if err != nil {
				return err
			}
			if err := a.checkFiles(c); err != nil {
				return err
			}
			return a.print(map[string]any{"ok": true, "issuer": c.Issuer, "listen": c.Listen, "store": c.Store},
				func(w io.Writer) {
					line(w, "issuer", c.Issuer)
					line(w, "listen", c.Listen)
					line(w, "store", c.Store)
					line(w, "admin socket", c.Admin.Socket)
					line(w, "the configuration is good")
				})
		},
	})
}

// checkFiles looks at the files a server would read at its start.
func (a *app) checkFiles(c config.Config) error {
	var problems []error
	if a.getenv("SIGNET_MASTER_KEY") == "" {
		problems = append(problems, checkMasterKey(c.MasterKeyFile))
	}
	if c.TLS.Cert != "" {
		if _, err := tls.LoadX509KeyPair(c.TLS.Cert, c.TLS.Key); err != nil {
			problems = append(problems, fmt.Errorf("tls.cert: %w", err))
		}
	}
	if c.Password.Blocklist != "" {
		if f, err := os.Open(c.Password.Blocklist); err != nil {
			problems = append(problems, fmt.Errorf("password.blocklist: %w", err))
		} else {
			f.Close()
		}
	}
	return errors.Join(problems...)
}

func checkMasterKey(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("master_key_file: %s is not there; `signet init` makes it, or set SIGNET_MASTER_KEY", path)
	case err != nil:
		return fmt.Errorf("master_key_file: %w", err)
	case info.Mode().Perm()&0o077 != 0:
		return fmt.Errorf("master_key_file: others can read %s; run chmod 600 on it", path)
	}
	return nil
}
