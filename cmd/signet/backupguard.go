package main

import (
	"fmt"
	"os"
	"path/filepath"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/configfile"
	"signet/config"
)

// guardOwnFiles refuses to replace a file that the server lives on: a copy put in the place of the
// open store would leave the server writing to a file that nobody can find any more.
func guardOwnFiles(app *cli.App, path string) error { return guardFiles(path, ownFiles(app)) }

// guardFiles refuses to replace one of the files.
func guardFiles(path string, files []string) error {
	target, err := os.Stat(path)
	if err != nil {
		return nil // nothing is replaced
	}
	for _, own := range files {
		if info, err := os.Stat(own); err == nil && os.SameFile(info, target) {
			return fmt.Errorf("%s is a file the server itself uses, and replacing it would lose what is in it; give another name", path)
		}
	}
	return nil
}

// ownFiles are what the configuration names, and what usually lies beside the admin socket.
func ownFiles(app *cli.App) []string {
	var own []string
	if path := configfile.Path(app); path != "" {
		own = append(own, path)
		if c, _, err := config.Load(path, app.Environ); err == nil {
			store, _ := c.BoltPath()
			own = append(own, store, c.MasterKeyFile, c.Admin.Socket, c.TLS.Cert, c.TLS.Key, c.Password.Blocklist,
				c.Redis.PasswordFile, c.Redis.SentinelPasswordFile, c.Redis.CA, c.Redis.Cert, c.Redis.Key)
		}
	}
	if socket, err := findSocket(app); err == nil {
		for _, name := range []string{"signet.db", "master.key", "demo.json", configfile.Name} {
			own = append(own, filepath.Join(filepath.Dir(socket), name))
		}
		own = append(own, socket)
	}
	return own
}
