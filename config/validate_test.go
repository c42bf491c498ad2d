package config

import (
	"slices"
	"strings"
	"testing"
	"time"

	"signet/config/duration"
)

func valid() Config {
	c := Default()
	c.Issuer = "https://auth.example.com"
	return c
}

func TestIssuer(t *testing.T) {
	good := []string{"https://a.example", "https://a.example:8443/oauth", "http://localhost:8080", "http://127.0.0.1:1", "http://[::1]:8080", "https://[2001:db8::1]"}
	bad := []string{"", "a.example", "//a.example", "https:", "https://", "HTTPS://a.example", "https://u@a.example", "https://a.example/", "https://a.example?x",
		"https://a.example?", "https://a.example#", "http://a.example", "https://a.example//x", "https://a.example/a/../b", "ftp://a.example", "https:a.example", "http://10.0.0.1"}
	for _, s := range good {
		if err := checkIssuer(s); err != nil {
			t.Errorf("%q: got %v, want it accepted", s, err)
		}
	}
	for _, s := range bad {
		if err := checkIssuer(s); err == nil {
			t.Errorf("%q: got no error", s)
		}
	}
}

func TestValidate(t *testing.T) {
	tests := []struct {
		field  string // that is complained about; empty: none
		change func(*Config)
	}{
		{"", func(*Config) {}},
		{"", func(c *Config) { c.Listen = "0.0.0.0:443"; c.TLS.Cert = "c"; c.TLS.Key = "k" }},
		{"", func(c *Config) { c.Listen = ":80"; c.TLS.TerminatedByProxy = true }},
		{"", func(c *Config) { c.Refresh.Grace = 0 }},
		{"", func(c *Config) { c.Throttle.PerNetwork = 0 }},
		{"listen", func(c *Config) { c.Listen = "0.0.0.0:80" }},
		{"listen", func(c *Config) { c.Listen = "auth:80" }},
		{"listen", func(c *Config) { c.Listen = "8080" }},
		{"listen", func(c *Config) { c.Listen = "127.0.0.1:http" }},
		{"listen", func(c *Config) { c.Listen = "127.0.0.1:70000" }},
		{"admin.listen", func(c *Config) { c.Admin.Listen = "0.0.0.0:81" }},
		{"admin.listen", func(c *Config) { c.Admin.Listen = c.Listen }},
		{"admin.socket", func(c *Config) { c.Admin.Socket = strings.Repeat("x", 104) }},
		{"admin.socket", func(c *Config) { c.Admin.Socket = "" }},
		{"master_key_file", func(c *Config) { c.MasterKeyFile = "" }},
		{"tls.cert", func(c *Config) { c.TLS.Key = "k" }},
		{"store", func(c *Config) { c.Store = "bolt:" }},
		{"", func(c *Config) { c.Store = "redis://x" }},
		{"store", func(c *Config) { c.Store = "redis+sentinel://x" }},
		{"store", func(c *Config) { c.Store = "redis+cluster://x/1" }},
		{"store", func(c *Config) { c.Store = "postgres://x" }},
		{"algorithms", func(c *Config) { c.Algorithms = nil }},
		{"algorithms", func(c *Config) { c.Algorithms = []string{"HS256"} }},
		{"algorithms", func(c *Config) { c.Algorithms = []string{"Ed25519"} }},
		{"algorithms", func(c *Config) { c.Algorithms = []string{"ES256", "ES256"} }},
		{"audience", func(c *Config) { c.Audience = []string{""} }},
		{"audience", func(c *Config) { c.Audience = []string{"a b"} }},
		{"audience", func(c *Config) { c.Audience = []string{"https://api.example/#x"} }},
		{"audience", func(c *Config) { c.Audience = []string{"/relative"} }},
		{"audience", func(c *Config) { c.Audience = []string{"https:///v1"} }},
		{"audience", func(c *Config) { c.Audience = []string{"bücher"} }},
		{"audience", func(c *Config) { c.Audience = []string{"orders", "orders"} }},
		{"audience", func(c *Config) { c.Audience = strings.Split(strings.Repeat("a,", 20)+"a", ",") }},
		{"audience", func(c *Config) { c.Audience = []string{strings.Repeat("a", 501)} }},
		{"", func(c *Config) { c.Audience = []string{"httpx:/v1", strings.Repeat("a", 500)} }},
		{"audience", func(c *Config) { c.Audience = strings.Fields(strings.Repeat(strings.Repeat("a", 400)+" ", 4)) }},
		{"default_client", func(c *Config) { c.DefaultClient = "a b" }},
		{"access_token.ttl", func(c *Config) { c.AccessToken.TTL = 2 * time.Hour; c.Keys.MaxTokenLife = time.Hour }},
		{"access_token.ttl", func(c *Config) { c.Keys.MaxTokenLife = time.Minute }},
		{"access_token.ttl", func(c *Config) { c.AccessToken.TTL = 0 }},
		{"refresh.grace", func(c *Config) { c.Refresh.Grace = 61 * time.Second }},
		{"refresh.idle", func(c *Config) { c.Refresh.Idle = 91 * duration.Day }},
		{"refresh.max_replays", func(c *Config) { c.Refresh.MaxReplays = 1 << 16 }},
		{"refresh.sessions_per_user", func(c *Config) { c.Refresh.SessionsPerUser = 0 }},
		{"password.min_length", func(c *Config) { c.Password.MinLength = 7 }},
		{"password.context", func(c *Config) { c.Password.Context = []string{"ab"} }},
		{"password.argon2.memory_kib", func(c *Config) { c.Password.Argon2.MemoryKiB = 64 }},
		{"password.wait", func(c *Config) { c.Password.Wait = 0 }},
		{"throttle.per_account", func(c *Config) { c.Throttle.PerAccount = 101 }},
		{"throttle.per_account", func(c *Config) { c.Throttle.PerAccount = 0 }},
		{"keys.max_token_life", func(c *Config) { c.Keys.MaxTokenLife = 61 * time.Minute }},
		{"keys.publish", func(c *Config) { c.Keys.Publish = 0 }},
		{"log.level", func(c *Config) { c.Log.Level = "INFO" }},
		{"log.format", func(c *Config) { c.Log.Format = "xml" }},
		{"audit.retain", func(c *Config) { c.Audit.Retain = 0 }},
		{"audit.refusals", func(c *Config) { c.Audit.Refusals = -1 }},
		{"shutdown.drain", func(c *Config) { c.Shutdown.Drain = -1 }},
	}
	for _, tt := range tests {
		c := valid()
		tt.change(&c)
		var got []string
		for _, p := range c.problems() {
			got = append(got, p.Field)
		}
		got = slices.Compact(got)
		var want []string
		if tt.field != "" {
			want = []string{tt.field}
		}
		if !slices.Equal(got, want) {
			t.Errorf("got complaints about %v, want %v: %v", got, want, c.Validate())
		}
	}
}

func TestReloadable(t *testing.T) {
	old, new := valid(), valid()
	new.Refresh.Grace = time.Second
	new.Log.Level = "debug"
	new.Listen = "127.0.0.1:1"
	new.Algorithms = []string{"RS256"}
	changed, restart := Reloadable(old, new)
	if want := []string{"refresh.grace", "log.level"}; !slices.Equal(changed, want) {
		t.Errorf("changed: got %v, want %v", changed, want)
	}
	if want := []string{"listen", "algorithms"}; !slices.Equal(restart, want) {
		t.Errorf("needRestart: got %v, want %v", restart, want)
	}
	if changed, restart = Reloadable(old, valid()); changed != nil || restart != nil {
		t.Errorf("equal: got %v, %v", changed, restart)
	}
	old, new = valid(), valid()
	old.Audience, new.Issuer = []string{old.Issuer}, "https://elsewhere.example.com"
	new.Audience = []string{new.Issuer}
	if changed, restart = Reloadable(old, new); changed != nil || !slices.Equal(restart, []string{"issuer"}) {
		t.Errorf("another issuer: got %v, %v; the audience only follows it", changed, restart)
	}
}
