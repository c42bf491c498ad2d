package main

import (
	"crypto/tls"
	"errors"
	"fmt"
	"io"

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
	c, warnings, err := a.readConfig()
	for _, w := range warnings {
		a.warn(errors.New(string(w)))
	}
	return c, err
}

func (a *app) readConfig() (config.Config, []config.Warning, error) {
	path := a.configPath()
	if path == "" && a.getenv("SIGNET_ISSUER") == "" {
		return config.Config{}, nil, fmt.Errorf("there is no ./%s; name the configuration with --config FILE", defaultConfig)
	}
	return config.Load(path, a.environ)
}

// warn tells people what is allowed and hardly meant.
func (a *app) warn(warning error) { fmt.Fprintf(a.err, "signet: warning: %s\n", warning) }

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
			if err := a.checkParts(c); err != nil {
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

// checkParts asks those that a server is made of, by the same functions as its start does.
func (a *app) checkParts(c config.Config) error {
	tt := keyringConfig(c, nil, "", nil).Timetable
	problems := []error{tt.Validate(), tt.CheckPoll(c.Keys.Poll)}
	if _, err := readMasterKeys(c.MasterKeyFile, a.getenv); err != nil {
		problems = append(problems, err)
	}
	if _, embedded := c.BoltPath(); !embedded {
		if _, err := redisConfig(c, a.getenv); err != nil {
			problems = append(problems, err)
		}
	}
	if _, err := openHSM(c, a.getenv); err != nil {
		problems = append(problems, err)
	}
	if _, err := serverConfig(c); err != nil {
		problems = append(problems, err)
	}
	if c.TLS.Cert != "" {
		if _, err := tls.LoadX509KeyPair(c.TLS.Cert, c.TLS.Key); err != nil {
			problems = append(problems, fmt.Errorf("tls.cert: %w", err))
		}
	}
	return errors.Join(problems...)
}
