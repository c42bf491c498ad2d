package config

import (
	"path/filepath"
	"strings"
	"time"

	"signet/config/duration"
	"signet/config/redisurl"
	"signet/keys/timetable"
)

// Default returns what holds where nothing is set, keys.preset included. It is not yet a valid Config: the issuer has no default.
func Default() Config {
	return Config{
		Listen:        "127.0.0.1:8080",
		Store:         "bolt:signet.db",
		MasterKeyFile: "master.key",
		Algorithms:    []string{"ES256"},
		Admin:         Admin{Socket: "admin.sock"},
		AccessToken:   AccessToken{TTL: 5 * time.Minute},
		Refresh: Refresh{
			Grace:           10 * time.Second,
			Late:            duration.Day,
			Idle:            30 * duration.Day,
			Absolute:        90 * duration.Day,
			MaxReplays:      1000,
			SessionsPerUser: 100,
		},
		Password: Password{
			MinLength: 15,
			Argon2:    Argon2{MemoryKiB: 19456, Time: 2, Threads: 1},
			Import:    ImportedHashes{MemoryKiB: 256 << 10, WorkKiB: 1 << 20, BcryptCost: 14},
			Process:   "auto",
			Wait:      2 * time.Second,
		},
		Users: Users{Upstream: Upstream{Mode: ModeMove, IDClaim: "legacy_id", Timeout: 3 * time.Second, Concurrency: 16,
			LDAP: Directory{IDAttribute: "entryUUID"}}},
		Page: Page{Language: "en"},

		BackChannelLogout: BackChannelLogout{Timeout: 5 * time.Second, Concurrency: 8, GiveUp: duration.Day},

		Throttle: Throttle{PerAccount: 10, Anywhere: 30, PerNetwork: 100, PerClient: 100},
		Keys:     standardKeys(),
		Redis:    Redis{Prefix: "signet", WaitReplicas: 1},
		Log:      Log{Level: "info", Format: "json"},
		Audit:    Audit{Retain: 100_000},
		Shutdown: Shutdown{Delay: 5 * time.Second, Drain: 20 * time.Second},
	}
}

// resolve fills in what depends on other fields and makes paths absolute, as seen from dir, the
// directory of the file.
func (c *Config) resolve(dir string) {
	if c.DataDir == "" {
		c.DataDir = dir
	}
	c.DataDir = within(dir, c.DataDir)
	c.MasterKeyFile = within(c.DataDir, c.MasterKeyFile)
	c.Admin.Socket = within(c.DataDir, c.Admin.Socket)
	if path, ok := strings.CutPrefix(c.Store, "bolt:"); ok && path != "" {
		c.Store = "bolt:" + within(c.DataDir, path)
	}
	r, u := &c.Redis, &c.Users.Upstream
	for _, path := range []*string{&c.TLS.Cert, &c.TLS.Key, &c.Password.Blocklist, &c.Password.Import.PepperFile, &c.Keys.HSM.PINFile,
		&r.PasswordFile, &r.SentinelPasswordFile, &r.CA, &r.Cert, &r.Key,
		&c.BackChannelLogout.CA,
		&c.Page.Logo, &c.Page.LogoDark, &c.Page.Templates,
		&u.SecretFile, &u.CA, &u.Cert, &u.Key, &u.LDAP.PasswordFile} {
		*path = within(dir, *path)
	}
	if len(c.Audience) == 0 && c.Issuer != "" {
		c.Audience = []string{c.Issuer}
	}
}

// within leaves an empty path empty: validation reports it where it may not be.
func within(dir, path string) string {
	if path == "" {
		return ""
	}
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}

// BoltPath returns the file of an embedded store; ok is false, and path empty, for any other kind of store.
func (c Config) BoltPath() (path string, ok bool) {
	if path, ok = strings.CutPrefix(c.Store, "bolt:"); !ok {
		return "", false
	}
	return path, true
}

// RedisStore returns the address of a Redis store; ok is false for any other kind of store.
func (c Config) RedisStore() (u redisurl.URL, ok bool) {
	u, err := redisurl.Parse(c.Store)
	if err != nil {
		return redisurl.URL{}, false
	}
	return u, true
}

// The presets of the key timetable.
const (
	presetStandard = "standard"
	presetFast     = "fast"
	presetStrict   = "strict"
)

// Presets names the values that keys.preset takes, the default first.
func Presets() []string { return []string{presetStandard, presetStrict, presetFast} }

// withPreset returns the defaults of the preset. A name that is not a preset changes nothing: validation
// reports it.
func withPreset(name string) Config {
	c := Default()
	switch name {
	case presetFast:
		c.AccessToken.TTL, c.Keys = 5*time.Second, fastKeys()
	case presetStrict:
		c.AccessToken.TTL, c.Keys = 2*time.Minute, strictKeys()
	}
	return c
}

// standardKeys gives every verifier a day to find a new key.
func standardKeys() Keys { return keysOf(presetStandard, timetable.Default(), 10*time.Second) }

// strictKeys limits the use of a stolen key or token, and how long a replica acts without the store. Verifiers
// get as long as by the standard.
func strictKeys() Keys {
	t := timetable.Default()
	t.Active = 7 * duration.Day
	t.MaxTokenLife = 15 * time.Minute
	t.SignStale = 5 * time.Minute
	t.ServeStale = 2 * time.Hour
	return keysOf(presetStrict, t, 10*time.Second)
}

// fastKeys shows a key's whole life in a minute. The inequalities hold with seconds to spare, and a key
// signs for longer than it takes to make and publish its successor.
func fastKeys() Keys {
	return keysOf(presetFast, timetable.Timetable{
		Publish:      10 * time.Second,
		Active:       15 * time.Second,
		Retain:       15 * time.Second,
		Cache:        time.Second,
		CDN:          time.Second,
		Skew:         time.Second,
		MaxTokenLife: 5 * time.Second,
		Leeway:       time.Second,
		SignStale:    2 * time.Second,
		ServeStale:   4 * time.Second,
	}, 500*time.Millisecond)
}

// keysOf returns the settings of a timetable, without an HSM. The limits of an HSM are the same for every preset.
func keysOf(preset string, t timetable.Timetable, poll time.Duration) Keys {
	return Keys{Preset: preset, Publish: t.Publish, Active: t.Active, Retain: t.Retain, Cache: t.Cache, CDN: t.CDN, Skew: t.Skew,
		MaxTokenLife: t.MaxTokenLife, Leeway: t.Leeway, SignStale: t.SignStale, ServeStale: t.ServeStale, Poll: poll,
		HSM: HSM{Timeout: 2 * time.Second, Concurrency: 8}}
}
