package config

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// The order is flag > environment > file > preset > default; a flag is appended to the environment.
func TestPresetIsBelowWhatIsSet(t *testing.T) {
	tests := []struct {
		name         string
		file         string
		env          []string
		publish, ttl time.Duration
		algorithm    string
	}{
		{"none", "", nil, 24 * time.Hour, 5 * time.Minute, "ES256"},
		{"in the file", "keys: {preset: fast}\n", nil, 10 * time.Second, 5 * time.Second, "ES256"},
		{"in the environment", "", []string{"SIGNET_KEYS_PRESET=fast"}, 10 * time.Second, 5 * time.Second, "ES256"},
		{"the environment's wins", "keys: {preset: fast}\n", []string{"SIGNET_KEYS_PRESET=standard"}, 24 * time.Hour, 5 * time.Minute, "ES256"},
		{"the file's settings win", "keys: {publish: 20s, preset: fast}\naccess_token: {ttl: 2s}\n", nil, 20 * time.Second, 2 * time.Second, "ES256"},
		{"also what is the default", "keys: {publish: 24h, preset: fast}\n", nil, 24 * time.Hour, 5 * time.Second, "ES256"},
		{"a key without a value sets nothing", "keys: {publish: , preset: fast}\n", nil, 10 * time.Second, 5 * time.Second, "ES256"},
		{"variables win", "keys: {preset: fast, publish: 20s}\n", []string{"SIGNET_KEYS_PUBLISH=30s", "SIGNET_KEYS_PUBLISH=40s"}, 40 * time.Second, 5 * time.Second, "ES256"},
		{"the rest is as it was", "keys: {preset: strict}\nalgorithms: [RS256]\n", nil, 24 * time.Hour, 2 * time.Minute, "RS256"},
	}
	for _, tt := range tests {
		c, _, err := load("signet.yaml", []byte(issuerLine+tt.file), "/etc/signet", tt.env)
		if err != nil {
			t.Errorf("%s: %v", tt.name, err)
			continue
		}
		if c.Keys.Publish != tt.publish || c.AccessToken.TTL != tt.ttl || c.Algorithms[0] != tt.algorithm {
			t.Errorf("%s: got publish %v, ttl %v, %s; want %v, %v, %s", tt.name, c.Keys.Publish, c.AccessToken.TTL, c.Algorithms[0], tt.publish, tt.ttl, tt.algorithm)
		}
	}
}

func TestPresetsAreComplete(t *testing.T) {
	for _, name := range Presets() {
		c := withPreset(name)
		c.Issuer = "https://auth.example.com"
		if err := c.Validate(); err != nil || c.Keys.Preset != name {
			t.Errorf("%s: got the preset %s, %v", name, c.Keys.Preset, err)
		}
	}
}

func TestPresetMustExist(t *testing.T) {
	_, _, err := load("signet.yaml", []byte(issuerLine+"keys: {preset: fats}\n"), "/", nil)
	if want := `signet.yaml:2: keys.preset: "fats" is not one of standard, strict, fast; did you mean fast?`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestFastWarns(t *testing.T) {
	for _, name := range Presets() {
		_, warnings, err := load("", nil, "/", []string{"SIGNET_ISSUER=https://auth.example.com", "SIGNET_KEYS_PRESET=" + name})
		if err != nil {
			t.Fatal(err)
		}
		warned := slices.ContainsFunc(warnings, func(w Warning) bool { return strings.HasPrefix(string(w), "keys.preset: fast is for tests and demos") })
		if warned != (name == presetFast) {
			t.Errorf("%s: got the warnings %v", name, warnings)
		}
	}
}
