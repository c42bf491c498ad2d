package install

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"signet/cmd/signet/internal/cli"
	"signet/config"
	"signet/keys"
	"signet/keys/clockcheck"
	"signet/keys/mark"
	"signet/keys/masterkey"
	"signet/keys/rotation"
	"signet/keys/timetable"
)

// KeyringConfig returns the configuration of the keyring in a store.
func KeyringConfig(cfg config.Config, storage keys.Storage, installID string, master []masterkey.Key) keys.Config {
	k := cfg.Keys
	return keys.Config{
		Storage: storage, InstallID: installID, Master: master, Algorithms: cfg.Algorithms, Poll: k.Poll,
		Timetable: k.Timetable(),
	}
}

// ExplainTimetable words broken rules of the timetable with the names of the settings.
func ExplainTimetable(cfg config.Config, err error) error {
	if errors.As(err, new(*timetable.RuleError)) {
		return cfg.Keys.CheckTimetable()
	}
	return err
}

// AuditKeyPurpose names the key that signs the audit lines of the log.
const AuditKeyPurpose = "signet audit"

// TimetableText writes the timetable of the signing keys as heartbeats have it.
func TimetableText(cfg config.Config) string {
	k := cfg.Keys
	list := []string{"algorithms=" + strings.Join(cfg.Algorithms, ",")}
	for _, setting := range []struct {
		name  string
		value time.Duration
	}{
		{"publish", k.Publish}, {"active", k.Active}, {"retain", k.Retain}, {"cache", k.Cache}, {"cdn", k.CDN}, {"skew", k.Skew},
		{"max_token_life", k.MaxTokenLife}, {"leeway", k.Leeway}, {"sign_stale", k.SignStale}, {"serve_stale", k.ServeStale},
	} {
		list = append(list, fmt.Sprintf("keys.%s=%s", setting.name, setting.value))
	}
	return strings.Join(list, " ")
}

// KeptPlanText describes a key whose plan is older than the timetable of the configuration.
func KeptPlanText(cfg config.Config, p rotation.KeptPlan) string {
	return fmt.Sprintf("the next %s key signs from %s, as planned under an earlier timetable; by that of now (preset %s) it would be %s: "+
		"a shorter timetable holds for the keys after it; `signet keys rotate` brings it forward", p.Alg, cli.FormatTime(p.ActivatesAt), cfg.Keys.Preset, cli.FormatTime(p.Would))
}

// markName is the file in the data directory with the mark of the keyring, which a server keeps over restarts.
const markName = "keyring.mark"

// MarkFile returns the file that remembers the newest keyring that this server has held.
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

// CompareClocks returns an error if the clock of the store differs from that of this machine. Call it before times are
// written into the store.
func CompareClocks(ctx context.Context, storage keys.Storage, cfg config.Config, installID string, master masterkey.Key) error {
	err := keys.CompareClocks(ctx, KeyringConfig(cfg, storage, installID, []masterkey.Key{master}))
	if errors.Is(err, clockcheck.ErrClock) {
		return ExplainClock(err)
	}
	if err != nil {
		return fmt.Errorf("store: %w", ExplainTimetable(cfg, err))
	}
	return nil
}

// ExplainClock adds what to do about clocks that differ. Either of the two may be wrong.
func ExplainClock(err error) error {
	return fmt.Errorf("clock: %w (keys.skew); set this machine's clock or that of the store right, nothing was changed", err)
}

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
