package config

import (
	"path/filepath"
	"strings"
	"time"
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
			Late:            day,
			Idle:            30 * day,
			Absolute:        90 * day,
			MaxReplays:      1000,
			SessionsPerUser: 100,
		},
		Password: Password{
			MinLength: 15,
			Argon2:    Argon2{MemoryKiB: 19456, Time: 2, Threads: 1},
			Import:    ImportedHashes{MemoryKiB: 256 << 10, WorkKiB: 1 << 20, BcryptCost: 14},
			Wait:      2 * time.Second,
		},
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
	r := &c.Redis
	for _, path := range []*string{&c.TLS.Cert, &c.TLS.Key, &c.Password.Blocklist, &c.Keys.HSM.PINFile,
		&r.PasswordFile, &r.SentinelPasswordFile, &r.CA, &r.Cert, &r.Key} {
		*path = within(dir, *path)
	}
	if len(c.Audience) == 0 && c.Issuer != "" {
		c.Audience = []string{c.Issuer}
	}
}

// within leaves an empty path empty: what that means is for validation to say.
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
func (c Config) RedisStore() (r RedisStore, ok bool) {
	r, err := parseRedisURL(c.Store)
	if err != nil {
		return RedisStore{}, false
	}
	return r, true
}
