package install

import (
	"errors"
	"fmt"
	"path/filepath"

	"signet/config"
	"signet/keys/mark"
)

// markName is the file in the data directory with the mark of the keyring, which a server keeps over restarts.
const markName = "keyring.mark"

func MarkFile(cfg config.Config) mark.File {
	return mark.File(filepath.Join(cfg.DataDir, markName))
}

// ExplainMark explains a mark that does not fit the store, and what to do.
func ExplainMark(cfg config.Config, err error) error {
	path := string(MarkFile(cfg))
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
