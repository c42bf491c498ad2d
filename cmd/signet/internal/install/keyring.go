package install

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"signet/cmd/signet/internal/cli"
	"signet/config"
	"signet/keys"
	"signet/keys/masterkey"
	"signet/keys/rotation"
)

func KeyringConfig(cfg config.Config, storage keys.Storage, installID string, master []masterkey.Key) keys.Config {
	k := cfg.Keys
	return keys.Config{
		Storage: storage, InstallID: installID, Master: master, Algorithms: cfg.Algorithms, Poll: k.Poll,
		Timetable: k.Timetable(),
	}
}

// ExplainTimetable words broken rules of the timetable with the names of the settings.
func ExplainTimetable(cfg config.Config, err error) error {
	if errors.As(err, new(*rotation.RuleError)) {
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
