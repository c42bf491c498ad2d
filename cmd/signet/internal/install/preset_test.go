package install

import (
	"testing"
	"testing/synctest"
	"time"

	"signet/config"
	"signet/keys"
	"signet/keys/keystest"
	"signet/keys/masterkey"
	"signet/keys/timetable"
)

func presetConfig(t *testing.T, preset string) config.Config {
	t.Helper()
	cfg, _, err := config.Load("", []string{"SIGNET_ISSUER=https://auth.example.com", "SIGNET_KEYS_PRESET=" + preset})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

// Every preset is a timetable that a start accepts, and whose keys sign for K and not longer: the
// successor is ready in time.
func TestPresetsFitTogether(t *testing.T) {
	for _, preset := range config.Presets() {
		cfg := presetConfig(t, preset)
		k := KeyringConfig(cfg, nil, "", nil)
		if err := k.Timetable.Validate(); err != nil {
			t.Errorf("%s: %v", preset, err)
		}
		if err := k.Timetable.CheckPoll(k.Poll); err != nil {
			t.Errorf("%s: %v", preset, err)
		}
		if preset == "standard" && k.Timetable != timetable.Default() {
			t.Errorf("%s: got %+v, want the defaults of package keys", preset, k.Timetable)
		}
	}
}

// With the fast preset a replica that is left alone rotates every K, on the dot.
func TestFastPresetRotatesInSeconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		cfg := KeyringConfig(presetConfig(t, "fast"), &keystest.Storage{}, "install", []masterkey.Key{masterkey.New()})
		if err := keys.Init(t.Context(), cfg); err != nil {
			t.Fatal(err)
		}
		m, err := keys.Open(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		go m.Run(t.Context())
		const minutes = 10
		kids := map[string]bool{}
		for range minutes * 60 {
			time.Sleep(time.Second)
			_, kid, err := m.Sign(t.Context(), "", "at+jwt", struct{}{})
			if err != nil {
				t.Fatal(err)
			}
			kids[kid] = true
		}
		want := int(minutes*time.Minute/cfg.Timetable.Active) + 1
		if len(kids) != want {
			t.Errorf("%d keys signed in %d minutes, want %d", len(kids), minutes, want)
		}
	})
}
