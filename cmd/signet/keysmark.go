package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"signet/config"
	"signet/keys/mark"
	"signet/store"
)

// markName is the file in the data directory that holds this server's mark of the keyring: what it
// remembers over a restart.
const markName = "keyring.mark"

func markFile(cfg config.Config) mark.File {
	return mark.File(filepath.Join(cfg.DataDir, markName))
}

// explainMark puts a mark that does not fit the store in words, and what to do.
func explainMark(cfg config.Config, err error) error {
	path := string(markFile(cfg))
	var e *mark.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Problem {
	case mark.Newer, mark.Revoked:
		return fmt.Errorf("keyring: %w (%s); keys that were revoked since would come back: put the store back with `signet restore`, nothing was changed", err, path)
	case mark.Foreign:
		return fmt.Errorf("data_dir: %w (%s); give this server a data_dir of its own, or remove that file if the old install is gone, nothing was changed", err, path)
	case mark.Unproved:
		return fmt.Errorf("data_dir: %w (%s); start once with the new and the old master key, or remove that file if you know that the store was not set back, nothing was changed", err, path)
	}
	return fmt.Errorf("data_dir: %w (%s); remove that file if you know that the store was not set back, nothing was changed", err, path)
}

// checkImportMark refuses to fill the store of the configuration with a keyring that is older than the
// one that its server has held: that is what restore is for.
func checkImportMark(cfg config.Config, path string, f store.Foundation) error {
	mark, ok := mark.Peek(markFile(cfg))
	if !ok || mark.Install != f.Install.ID || f.KeyringVersion >= mark.Version {
		return nil
	}
	return fmt.Errorf("%s holds version %d of the keyring, and the server of this configuration has held version %d (%s); "+
		"keys that were revoked since would come back: use `signet restore`, nothing was imported", path, f.KeyringVersion, mark.Version, markFile(cfg))
}

// dropForeignMark removes the mark of an install that was here before the one that was imported.
func dropForeignMark(cfg config.Config, install string) error {
	path := markFile(cfg)
	if mark, ok := mark.Peek(path); !ok || mark.Install == install {
		return nil
	}
	if err := os.Remove(string(path)); err != nil {
		return fmt.Errorf("data_dir: %w; it is the mark of another install: remove it before the server starts", err)
	}
	return nil
}
