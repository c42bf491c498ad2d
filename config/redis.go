package config

import (
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"signet/config/redisurl"
	"signet/server/syntax"
)

var redisPrefix = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,32}$`)

func (r Redis) check(k *checker) {
	if !redisPrefix.MatchString(r.Prefix) {
		k.add("redis.prefix", "%q is not 1 to 32 letters, digits, hyphens, underscores and dots; write it like signet", r.Prefix)
	}
	checkACLUser(k, "redis.username", r.Username)
	checkACLUser(k, "redis.sentinel_username", r.SentinelUsername)
	k.number("redis.pool_size", r.PoolSize, 0, 10_000)
	k.number("redis.wait_replicas", r.WaitReplicas, 0, 5)
}

func checkACLUser(k *checker, field, name string) {
	if strings.ContainsAny(name, " \t\r\n\x00") {
		k.add(field, "has a space in it, and no name of an ACL user has; write the name that ACL LIST shows")
	}
}

func (c Config) checkRedisTLS(k *checker) {
	r := c.Redis
	if store, ok := c.RedisStore(); ok && !store.TLS {
		r.refuseTLS(k, store)
		return
	}
	if (r.Cert == "") != (r.Key == "") {
		k.add("redis.cert", "redis.cert and redis.key belong together; set both or neither")
	}
	if _, err := netip.ParseAddr(r.ServerName); r.ServerName != "" && err != nil && !redisurl.IsHost(r.ServerName) {
		k.add("redis.server_name", "%q is neither a host name nor an IP address; write it like redis.example", r.ServerName)
	}
}

// refuseTLS is for a store without TLS: these settings have no effect there, and suggest that it is encrypted.
func (r Redis) refuseTLS(k *checker, store redisurl.URL) {
	for _, f := range []struct{ name, value string }{
		{"redis.ca", r.CA}, {"redis.cert", r.Cert}, {"redis.key", r.Key}, {"redis.server_name", r.ServerName},
	} {
		if f.value != "" {
			k.add(f.name, "has no effect, since store begins with %s:// and is not encrypted; write %s:// there, or remove it",
				store.Scheme(), encrypted(store).Scheme())
		}
	}
}

func encrypted(store redisurl.URL) redisurl.URL {
	store.TLS = true
	return store
}

func (c Config) redisWarnings(password bool) []Warning {
	store, ok := c.RedisStore()
	if !ok {
		return c.idleRedisWarnings()
	}
	var list []Warning
	password = password || c.Redis.PasswordFile != "" || c.Redis.SentinelPasswordFile != ""
	const setPassword = "set redis.password_file or SIGNET_REDIS_PASSWORD"
	switch {
	case !slices.ContainsFunc(store.Addrs, isRemote):
	case password && !store.TLS:
		list = append(list, Warning("store: "+store.Scheme()+":// is not encrypted, so the password and all sessions cross the network "+
			"in the clear; write "+encrypted(store).Scheme()+"://"))
	case !store.TLS:
		list = append(list, Warning("store: "+store.Scheme()+":// is not encrypted and no password is set, so everybody on the network can read and change "+
			"users, sessions and clients; write "+encrypted(store).Scheme()+"://, and "+setPassword))
	case !password && c.Redis.Cert == "":
		list = append(list, Warning("store: neither a password nor redis.cert is set, so everybody who reaches Redis can read and change "+
			"users, sessions and clients; "+setPassword))
	}
	return list
}

// isRemote reports whether addr, a host:port, is on another machine.
func isRemote(addr string) bool {
	host, _, _ := net.SplitHostPort(addr)
	return !syntax.Loopback(host)
}

// idleRedisWarnings names what is set below redis and not used, because the store is another.
func (c Config) idleRedisWarnings() []Warning {
	changed, restart := Reloadable(Config{Redis: Default().Redis}, Config{Redis: c.Redis})
	idle := append(changed, restart...)
	if len(idle) == 0 {
		return nil
	}
	return []Warning{Warning(strings.Join(idle, ", ") + ": without effect, since store is not redis; set store to redis://HOST, or remove this")}
}
