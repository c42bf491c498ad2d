package main

import (
	"cmp"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/config"
)

func configCommand(app *cli.App) *cobra.Command {
	return cli.Group("config", "Check a configuration",
		"Check a configuration. deploy/signet.example.yaml has every key with its meaning and default; each can\n"+
			"be set by an environment variable instead, such as SIGNET_REFRESH_GRACE for refresh.grace.",
		configCheck(app))
}

// configFlag gives cmd the flag that names the configuration.
func configFlag(app *cli.App, cmd *cobra.Command) *cobra.Command {
	cmd.Flags().StringVar(&app.Connection.Config, "config", "", "the configuration `FILE` (default: SIGNET_CONFIG, or ./signet.yaml)")
	return cmd
}

// loadConfig reads the configuration that is meant and passes its warnings on.
func loadConfig(app *cli.App) (config.Config, error) {
	c, warnings, err := readConfig(app)
	return passOn(app, c, warnings, err)
}

// passOn prints the warnings of a configuration.
func passOn(app *cli.App, c config.Config, warnings []config.Warning, err error) (config.Config, error) {
	for _, w := range warnings {
		app.Warn(errors.New(string(w)))
	}
	return c, err
}

// readConfigOrDev is readConfig for commands that only look: without a configuration they look at what
// `signet dev` has made in the working directory.
func readConfigOrDev(app *cli.App) (config.Config, []config.Warning, error) {
	dir := filepath.Dir(defaultSocket)
	if _, err := os.Stat(filepath.Join(dir, "demo.json")); err != nil || configPath(app) != "" || app.Getenv("SIGNET_ISSUER") != "" {
		return readConfig(app)
	}
	if err := cli.CheckFound(dir, "SIGNET_DATA_DIR=./"+dir+" and SIGNET_ISSUER"); err != nil {
		return config.Config{}, nil, err
	}
	listen := cmp.Or(app.Getenv("SIGNET_LISTEN"), config.Default().Listen)
	c, warnings, err := loadFile(app, "", slices.Concat(app.Environ, []string{"SIGNET_DATA_DIR=" + dir, "SIGNET_ISSUER=http://" + listen}))
	return c, append(warnings, config.Warning("there is no ./"+defaultConfig+", so this is about ./"+dir+", which `signet dev` has made")), err
}

func readConfig(app *cli.App) (config.Config, []config.Warning, error) {
	path := configPath(app)
	if path == "" && app.Getenv("SIGNET_ISSUER") == "" {
		return config.Config{}, nil, fmt.Errorf("there is no ./%s; name the configuration with --config FILE", defaultConfig)
	}
	return loadFile(app, path, app.Environ)
}

func configCheck(app *cli.App) *cobra.Command {
	return configFlag(app, &cobra.Command{
		Use:   "check",
		Short: "Say everything that is wrong with a configuration",
		Long: "Say everything that is wrong with a configuration and the files it names, before a server is started or\n" +
			"reloaded with it. It changes nothing and needs no server.",
		Example: "signet config check --config /etc/signet/signet.yaml",
		Args:    cli.Args(),
		RunE: func(*cobra.Command, []string) error {
			c, warnings, err := readConfigOrDev(app)
			if c, err = passOn(app, c, warnings, err); err != nil {
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

// checkPlaces returns an error for each place of an install that others can write to. Whoever can put
// another file there decides what the server does.
func checkPlaces(c config.Config) error {
	store, _ := c.BoltPath()
	var problems []error
	for _, place := range []struct{ setting, path, decides string }{
		{"data_dir", c.DataDir, "which store and master key are used"},
		{"store", store, "who may log in"},
		{"tls.key", c.TLS.Key, "who can pose as this server"},
		{"redis.key", c.Redis.Key, "who can pose as this server at Redis"},
		{"redis.ca", c.Redis.CA, "who can pose as Redis"},
	} {
		problems = append(problems, cli.CheckUnchanged(place.setting, place.path, place.decides))
	}
	return errors.Join(problems...)
}

// exposedKeys returns a warning for each private key of TLS that others can read. Many tools write
// them so, and the owner may have a reason, which is why it is not refused.
func exposedKeys(c config.Config) (list []config.Warning) {
	for _, key := range []struct{ setting, path string }{{"tls.key", c.TLS.Key}, {"redis.key", c.Redis.Key}} {
		info, err := os.Stat(key.path)
		if key.path == "" || err != nil {
			continue
		}
		if who := cli.OtherReaders(info); who != "" {
			list = append(list, config.Warning(fmt.Sprintf("%s: %s may read %s (mode %04o), and with it pose as this server; close it with `chmod 600 %s`",
				key.setting, who, key.path, info.Mode().Perm(), cli.ShellQuote(key.path))))
		}
	}
	return list
}

// checkParts asks those that a server is made of, by the same functions as its start does.
func checkParts(app *cli.App, c config.Config) error {
	tt := keyringConfig(c, nil, "", nil).Timetable
	problems := []error{checkPlaces(c), tt.Validate(), tt.CheckPoll(c.Keys.Poll)}
	if _, err := readMasterKeys(c.MasterKeyFile, app.Getenv); err != nil {
		problems = append(problems, err)
	}
	if _, embedded := c.BoltPath(); !embedded {
		if _, err := redisConfig(c, app.Getenv); err != nil {
			problems = append(problems, err)
		}
	}
	if _, err := openHSM(c, app.Getenv); err != nil {
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
