package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"signet/cmd/signet/internal/cli"
	"signet/keys/masterkey"
)

const MasterKeyVariable = "SIGNET_MASTER_KEY"

// ReadMasterKeys reads the master key from the environment or else from the file: one key, or the new and the old one.
func ReadMasterKeys(path string, getenv func(string) string) ([]masterkey.Key, error) {
	if text := getenv(MasterKeyVariable); text != "" {
		master, err := masterkey.ParseList(text)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", MasterKeyVariable, err)
		}
		return master, nil
	}
	text, err := cli.ReadSecretFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("master key: there is no %s; put the file back, name another with master_key_file, or set %s", path, MasterKeyVariable)
	}
	if err != nil {
		return nil, fmt.Errorf("master key: %w (the file is named by master_key_file; %s can hold the key instead)", err, MasterKeyVariable)
	}
	master, err := masterkey.ParseList(text)
	if err != nil {
		return nil, fmt.Errorf("master key: %s: %w; put the right file back", path, err)
	}
	return master, nil
}

// WriteMasterKey makes a new master key and its file. It never overwrites a file: what was sealed with the old key could
// not be opened any more.
func WriteMasterKey(path string) (masterkey.Key, error) {
	master := masterkey.New()
	if _, err := os.Stat(path); err == nil {
		return masterkey.Key{}, fmt.Errorf("master key: %s is there already, and it is not overwritten; move it away if nothing needs it", path)
	}
	if err := cli.WriteNewFile(path, master.Encode()+"\n"); err != nil {
		return masterkey.Key{}, fmt.Errorf("master key: %w", err)
	}
	return master, nil
}
