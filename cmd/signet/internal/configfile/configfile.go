package configfile

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/config"
)

const (
	Name      = "signet.yaml"            // of a configuration, in its directory
	DevSocket = "signet-data/admin.sock" // the admin socket of `signet dev`, by default
)

// Flag adds the flag that names the configuration to cmd.
func Flag(app *cli.App, cmd *cobra.Command) *cobra.Command {
	cmd.Flags().StringVar(&app.Connection.Config, "config", "", "the configuration `FILE` (default: SIGNET_CONFIG, or ./signet.yaml)")
	return cmd
}

// Load reads the selected configuration and prints its warnings.
func Load(app *cli.App) (config.Config, error) {
	c, warnings, err := read(app)
	PrintWarnings(app, warnings)
	return c, err
}

// PrintWarnings prints the warnings of a configuration.
func PrintWarnings(app *cli.App, warnings []config.Warning) {
	for _, w := range warnings {
		app.Warn(errors.New(string(w)))
	}
}

// ReadOrDev is Read for commands that change nothing: without a configuration they use the directory that `signet dev`
// has made in the working directory.
func ReadOrDev(app *cli.App) (config.Config, []config.Warning, error) {
	dir := filepath.Dir(DevSocket)
	if _, err := os.Stat(filepath.Join(dir, "demo.json")); err != nil || Path(app) != "" || app.Getenv("SIGNET_ISSUER") != "" {
		return read(app)
	}
	if err := cli.CheckFound(dir, "SIGNET_DATA_DIR=./"+dir+" and SIGNET_ISSUER"); err != nil {
		return config.Config{}, nil, err
	}
	listen := cmp.Or(app.Getenv("SIGNET_LISTEN"), config.Default().Listen)
	c, warnings, err := ReadPath(app, "", slices.Concat(app.Environ, []string{"SIGNET_DATA_DIR=" + dir, "SIGNET_ISSUER=http://" + listen}))
	return c, append(warnings, config.Warning("there is no ./"+Name+", so this is about ./"+dir+", which `signet dev` has made")), err
}

// read reads the selected configuration.
func read(app *cli.App) (config.Config, []config.Warning, error) {
	path := Path(app)
	if path == "" && app.Getenv("SIGNET_ISSUER") == "" {
		return config.Config{}, nil, fmt.Errorf("there is no ./%s; name the configuration with --config FILE", Name)
	}
	return ReadPath(app, path, app.Environ)
}

// ReadPath reads the configuration at path, or the environment alone if path is "". It refuses a file that others can
// change, and warns of private keys that others can read.
func ReadPath(app *cli.App, path string, environ []string) (config.Config, []config.Warning, error) {
	if path != "" && Found(app) {
		if err := cli.CheckFound(path, "--config ./"+path); err != nil {
			return config.Config{}, nil, err
		}
	}
	if err := cli.CheckUnchanged("configuration", path, "what this server is and where commands send passwords"); err != nil {
		return config.Config{}, nil, err
	}
	c, warnings, err := config.Load(path, environ)
	if err != nil {
		return c, warnings, err
	}
	return c, append(warnings, exposedKeys(c)...), nil
}

// Path returns the path of the selected configuration, or "" if there is none.
func Path(app *cli.App) string {
	if app.Connection.Config != "" {
		return app.Connection.Config
	}
	if path := app.Getenv("SIGNET_CONFIG"); path != "" {
		return path
	}
	if _, err := os.Stat(Name); err == nil {
		return Name
	}
	return ""
}

// Found reports whether the configuration was not named: the one in the working directory is used.
func Found(app *cli.App) bool {
	return app.Connection.Config == "" && app.Getenv("SIGNET_CONFIG") == ""
}

// exposedKeys returns a warning for each private key of TLS that others can read. It is no error, because many tools
// write keys with that mode.
func exposedKeys(c config.Config) (list []config.Warning) {
	for _, key := range []struct{ setting, path string }{{"tls.key", c.TLS.Key}, {"redis.key", c.Redis.Key}, {"users.upstream.key", c.Users.Upstream.Key}} {
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

// CheckAccess returns an error that names each file and directory of an install that others can write to. By replacing
// it they could control the server.
func CheckAccess(c config.Config) error {
	store, _ := c.BoltPath()
	var problems []error
	for _, place := range []struct{ setting, path, decides string }{
		{"data_dir", c.DataDir, "which store and master key are used"},
		{"store", store, "who may log in"},
		{"tls.key", c.TLS.Key, "who can pose as this server"},
		{"redis.key", c.Redis.Key, "who can pose as this server at Redis"},
		{"redis.ca", c.Redis.CA, "who can pose as Redis"},
		{"password.blocklist", c.Password.Blocklist, "which passwords users may choose"},
		{"users.upstream.key", c.Users.Upstream.Key, "who can pose as this server at the upstream"},
		{"users.upstream.ca", c.Users.Upstream.CA, "who can pose as the upstream and get passwords"},
	} {
		problems = append(problems, cli.CheckUnchanged(place.setting, place.path, place.decides))
	}
	return errors.Join(append(problems, checkTemplates(c.Page.Templates))...)
}

// checkTemplates is CheckAccess for the directory of templates and what is in it. It ends at the first problem: a wrong
// mode is often that of all files.
func checkTemplates(dir string) error {
	if dir == "" {
		return nil
	}
	return filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return nil // reading it reports the reason
		}
		return cli.CheckUnchanged("page.templates", path, "what people see where they type their passwords")
	})
}
