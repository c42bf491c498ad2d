package config

import (
	"slices"
	"strings"
	"testing"
)

func TestValidateRedis(t *testing.T) {
	tests := []struct {
		fields []string // that are complained about
		store  string
		change func(*Redis)
	}{
		{nil, "redis://r", func(r *Redis) { r.Prefix = "a-B_9.c" }},
		{nil, "redis://r", func(r *Redis) { r.Prefix = strings.Repeat("x", 32) }},
		{nil, "redis://r", func(r *Redis) { r.Username = "signet"; r.PasswordFile = "p"; r.PoolSize = 10_000; r.WaitReplicas = 0 }},
		{nil, "rediss://r", func(r *Redis) { r.CA = "c" }},
		{nil, "rediss+cluster://r", func(r *Redis) { r.Cert = "c"; r.Key = "k"; r.ServerName = "redis.example" }},
		{nil, "rediss://r", func(r *Redis) { r.ServerName = "fd00::1" }},
		{[]string{"redis.prefix"}, "redis://r", func(r *Redis) { r.Prefix = "" }},
		{[]string{"redis.prefix"}, "redis://r", func(r *Redis) { r.Prefix = strings.Repeat("x", 33) }},
		{[]string{"redis.prefix"}, "redis://r", func(r *Redis) { r.Prefix = "a:b" }},
		{[]string{"redis.prefix"}, "redis+cluster://r", func(r *Redis) { r.Prefix = "{a}" }},
		{[]string{"redis.prefix"}, "bolt:x", func(r *Redis) { r.Prefix = "é" }},
		{[]string{"redis.username"}, "redis://r", func(r *Redis) { r.Username = "a b" }},
		{[]string{"redis.sentinel_username"}, "redis+sentinel://r/m", func(r *Redis) { r.SentinelUsername = "a\n" }},
		{[]string{"redis.pool_size"}, "redis://r", func(r *Redis) { r.PoolSize = 10_001 }},
		{[]string{"redis.pool_size"}, "redis://r", func(r *Redis) { r.PoolSize = -1 }},
		{[]string{"redis.wait_replicas"}, "redis://r", func(r *Redis) { r.WaitReplicas = 6 }},
		{[]string{"redis.wait_replicas"}, "redis://r", func(r *Redis) { r.WaitReplicas = -1 }},
		{[]string{"redis.cert"}, "rediss://r", func(r *Redis) { r.Cert = "c" }},
		{[]string{"redis.cert"}, "rediss://r", func(r *Redis) { r.Key = "k" }},
		{[]string{"redis.server_name"}, "rediss://r", func(r *Redis) { r.ServerName = "redis.example:6379" }},
		{[]string{"redis.ca", "redis.cert", "redis.key", "redis.server_name"}, "redis://r",
			func(r *Redis) { r.CA = "c"; r.Cert = "c"; r.Key = "k"; r.ServerName = "r" }},
		{[]string{"redis.ca"}, "redis+sentinel://r/m", func(r *Redis) { r.CA = "c" }},
		{[]string{"redis.ca"}, "redis+cluster://r", func(r *Redis) { r.CA = "c" }},
		{[]string{"store"}, "redis://", func(r *Redis) { r.CA = "c" }},
	}
	for _, tt := range tests {
		c := valid()
		c.Store = tt.store
		tt.change(&c.Redis)
		var got []string
		for _, p := range c.problems() {
			got = append(got, p.Field)
		}
		if !slices.Equal(got, tt.fields) {
			t.Errorf("%s %+v: got complaints about %v, want %v: %v", tt.store, c.Redis, got, tt.fields, c.Validate())
		}
	}
}

func TestRedisWarnings(t *testing.T) {
	tests := []struct {
		name, file string
		env        []string
		want       []Warning
	}{
		{"unused", "redis: {pool_size: 9, prefix: other, ca: ca.pem}\n", nil, []Warning{
			"redis.prefix, redis.ca, redis.pool_size: without effect, since store is not redis; set store to redis://HOST, or remove this"}},
		{"unused but as by default", "redis: {prefix: signet, wait_replicas: 1}\n", []string{"SIGNET_REDIS_PASSWORD=hunter2"}, nil},
		{"in the clear", "store: redis://r\nredis: {password_file: p}\n", nil, []Warning{
			"store: redis:// is not encrypted, so the password and all sessions cross the network in the clear; write rediss://"}},
		{"in the clear, from a variable", "store: redis+cluster://127.0.0.1,r\n", []string{"SIGNET_REDIS_PASSWORD=hunter2"}, []Warning{
			"store: redis+cluster:// is not encrypted, so the password and all sessions cross the network in the clear; write rediss+cluster://"}},
		{"in the clear, for Sentinels", "store: redis+sentinel://r/m\n", []string{"SIGNET_REDIS_SENTINEL_PASSWORD=hunter2"}, []Warning{
			"store: redis+sentinel:// is not encrypted, so the password and all sessions cross the network in the clear; write rediss+sentinel://"}},
		{"encrypted", "store: rediss://r\nredis: {password_file: p}\n", nil, nil},
		{"on this machine", "store: redis+cluster://localhost,127.0.0.2,[::1]\nredis: {password_file: p}\n", nil, nil},
		{"no password", "store: redis://r\n", []string{"SIGNET_REDIS_PASSWORD="}, []Warning{
			"store: redis:// is not encrypted and no password is set, so everybody on the network can read and change users, sessions and clients; " +
				"write rediss://, and set redis.password_file or SIGNET_REDIS_PASSWORD"}},
		{"no password, for a cluster", "store: redis+cluster://127.0.0.1,r\n", nil, []Warning{
			"store: redis+cluster:// is not encrypted and no password is set, so everybody on the network can read and change users, sessions and clients; " +
				"write rediss+cluster://, and set redis.password_file or SIGNET_REDIS_PASSWORD"}},
		{"no password, encrypted", "store: rediss://r\n", nil, []Warning{
			"store: neither a password nor redis.cert is set, so everybody who reaches Redis can read and change users, sessions and clients; " +
				"set redis.password_file or SIGNET_REDIS_PASSWORD"}},
		{"no password, and a certificate", "store: rediss://r\nredis: {cert: c, key: k}\n", nil, nil},
		{"no password, on this machine", "store: redis://localhost\n", nil, nil},
		{"limits that are off", "throttle: {per_network: 0, per_client: 0}\n", nil, []Warning{
			"throttle.per_network: 0 turns this limit off, so one network can guess passwords of many accounts as fast as the server answers; leave it out for the default of 100",
			"throttle.per_client: 0 turns this limit off, so one network can guess client secrets as fast as the server answers; leave it out for the default of 100"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, got, err := load("signet.yaml", []byte(issuerLine+tt.file), "/etc", tt.env)
			if err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("got %q, %v; want %q", got, err, tt.want)
			}
		})
	}
}

func TestKindOfStore(t *testing.T) {
	for store, want := range map[string]struct{ redis, bolt bool }{
		"redis+cluster://a,b": {redis: true},
		"bolt:signet.db":      {bolt: true},
		"redis://":            {},
		"":                    {},
	} {
		c := Config{Store: store}
		_, redis := c.RedisStore()
		if path, bolt := c.BoltPath(); redis != want.redis || bolt != want.bolt || bolt != (path != "") {
			t.Errorf("%q: got redis %v, bolt %v with %q; want %+v", store, redis, bolt, path, want)
		}
	}
}
