package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"signet/server/syntax"
)

// RedisMode is how the servers of a Redis store work together.
type RedisMode string

const (
	RedisStandalone RedisMode = "standalone" // one server
	RedisSentinel   RedisMode = "sentinel"   // Sentinels name the server that is the master
	RedisCluster    RedisMode = "cluster"    // the servers share the keys among them
)

// RedisStore is the address of a Redis store. There is no secret in it.
type RedisStore struct {
	Mode   RedisMode
	TLS    bool
	Addrs  []string // host:port of the server, of the Sentinels, or of some servers of the cluster
	Master string   // the name of the master at the Sentinels; empty in the other modes
	DB     int      // 0 in a cluster, which has no other
}

// String is the URL that spells r, with every port.
func (r RedisStore) String() string {
	s := r.scheme() + "://" + strings.Join(r.Addrs, ",")
	if r.Mode == RedisSentinel {
		s += "/" + r.Master
	}
	if r.DB != 0 {
		s += "/" + strconv.Itoa(r.DB)
	}
	return s
}

func (r RedisStore) scheme() string {
	s := "redis"
	if r.TLS {
		s = "rediss"
	}
	if r.Mode != RedisStandalone {
		s += "+" + string(r.Mode)
	}
	return s
}

// example is a URL of the same scheme, for messages.
func (r RedisStore) example() string {
	switch r.Mode {
	case RedisSentinel:
		return r.scheme() + "://s1.example,s2.example,s3.example/mymaster"
	case RedisCluster:
		return r.scheme() + "://r1.example,r2.example,r3.example"
	default:
		return r.scheme() + "://redis.example"
	}
}

func (r RedisStore) defaultPort() string {
	if r.Mode == RedisSentinel {
		return "26379"
	}
	return "6379"
}

// parseRedisURL reads a URL by rules of its own: package url accepts much that would be misunderstood
// here, and its errors repeat what they are about. Of s these repeat the scheme at most, since a
// password can be in any other part, if only by a slip.
func parseRedisURL(s string) (RedisStore, error) {
	scheme, rest, _ := strings.Cut(s, ":")
	r, ok := redisOfScheme(scheme)
	if !ok {
		return r, errors.New("has an unknown scheme; write bolt:PATH for a file, or redis://HOST, redis+sentinel://HOST,HOST/MASTER " +
			"or redis+cluster://HOST,HOST, each with rediss in place of redis for TLS")
	}
	// Before anything else, because a password may have any character in it.
	if strings.Contains(rest, "@") {
		return r, errors.New("has a user name or password in it; remove it with the @, and set redis.username, " +
			"and redis.password_file or the variable SIGNET_REDIS_PASSWORD")
	}
	if rest, ok = strings.CutPrefix(rest, "//"); !ok {
		return r, fmt.Errorf("has no // behind the scheme; write it like %s", r.example())
	}
	if strings.Contains(rest, "?") {
		return r, errors.New("has a query; remove it from the ? on and write settings below `redis:`")
	}
	if strings.Contains(rest, "#") {
		return r, errors.New("has a fragment; remove it from the # on")
	}
	addrs, path, slash := strings.Cut(rest, "/")
	if err := r.setAddrs(strings.Split(addrs, ",")); err != nil {
		return r, err
	}
	return r, r.setPath(path, slash)
}

func redisOfScheme(scheme string) (RedisStore, bool) {
	for _, mode := range []RedisMode{RedisStandalone, RedisSentinel, RedisCluster} {
		for _, tls := range []bool{false, true} {
			if r := (RedisStore{Mode: mode, TLS: tls}); r.scheme() == scheme {
				return r, true
			}
		}
	}
	return RedisStore{}, false
}

func (r *RedisStore) setAddrs(list []string) error {
	if len(list) > 1 && r.Mode == RedisStandalone {
		one := r.scheme()
		return fmt.Errorf("has more than one host, and %s:// takes one; write %s+sentinel:// or %s+cluster:// for several", one, one, one)
	}
	for i, s := range list {
		addr, err := parseRedisAddr(s, r.defaultPort())
		if err == nil && slices.Contains(r.Addrs, addr) {
			err = errors.New("has the same host and port as one before it; remove it")
		}
		if err != nil && len(list) > 1 {
			err = fmt.Errorf("address %d of %d: %w", i+1, len(list), err)
		}
		if err != nil {
			return err
		}
		r.Addrs = append(r.Addrs, addr)
	}
	return nil
}

func parseRedisAddr(s, defaultPort string) (string, error) {
	host, port, err := splitRedisAddr(s)
	if err != nil {
		return "", err
	}
	if port == "" {
		return net.JoinHostPort(host, defaultPort), nil
	}
	if n, ok := parseDigits(port[1:]); !ok || n < 1 || n > 65535 {
		return "", fmt.Errorf("its port is not a number from 1 to 65535; write it like :%s, or remove it with its colon for that one", defaultPort)
	}
	return net.JoinHostPort(host, port[1:]), nil
}

// splitRedisAddr leaves the colon to the port, so that a port that is missing differs from an empty one.
func splitRedisAddr(s string) (host, port string, err error) {
	if inside, bracket := strings.CutPrefix(s, "["); bracket {
		host, port, bracket = strings.Cut(inside, "]")
		addr, err := netip.ParseAddr(host)
		if !bracket || err != nil || !addr.Is6() || addr.Zone() != "" {
			return "", "", errors.New("its host is not an IPv6 address in brackets; write it like [fd00::5]")
		}
		if port != "" && port[0] != ':' {
			return "", "", errors.New("its port has no colon; write it like [fd00::5]:6379")
		}
		return addr.String(), port, nil
	}
	if strings.Count(s, ":") > 1 {
		return "", "", errors.New("its host has colons in it; write an IPv6 address in brackets, like [fd00::5]:6379")
	}
	host, _, _ = strings.Cut(s, ":")
	if host == "" {
		return "", "", errors.New("its host is missing; write a name or an IP address there")
	}
	if !isHost(host) {
		return "", "", errors.New("its host is neither a name nor an IP address; write it like redis.example, 10.0.0.5 or [fd00::5]")
	}
	return host, s[len(host):], nil
}

// isHost reports whether s is an IPv4 address or a name. Names may have underscores, which those of
// containers do, and the dot at the end that keeps a resolver from searching.
func isHost(s string) bool {
	labels := strings.Split(strings.TrimSuffix(s, "."), ".")
	for _, label := range labels {
		if len(label) > 63 || !hasOnly(label, "-_") || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
	}
	// No top-level domain is a number, so this is an address, or a port or database whose host was forgotten.
	if strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		addr, err := netip.ParseAddr(s)
		return err == nil && addr.Is4()
	}
	return len(s) <= 253
}

func (r *RedisStore) setPath(path string, slash bool) error {
	switch r.Mode {
	case RedisCluster:
		if slash {
			return errors.New("names a database, and a cluster has only one; remove it with its slash")
		}
		return nil
	case RedisSentinel:
		r.Master, path, slash = strings.Cut(path, "/")
		if r.Master == "" {
			return fmt.Errorf("has no master name; write it behind the addresses, like %s", r.example())
		}
		if !hasOnly(r.Master, "-_.") {
			return errors.New("its master name has other characters than letters, digits, hyphens, underscores and dots; write the name that is in sentinel.conf")
		}
	}
	if !slash {
		return nil
	}
	n, ok := parseDigits(path)
	if !ok {
		return errors.New("its database is not a whole number; write it like /1, or remove it with its slash for 0")
	}
	r.DB = n
	return nil
}

// parseDigits reads a number from 0 to 2³¹-1 that is written in one way only: no sign, no zero in front.
func parseDigits(s string) (int, bool) {
	n, err := strconv.ParseUint(s, 10, 31)
	return int(n), err == nil && strconv.FormatUint(n, 10) == s
}

// hasOnly reports whether s is not empty and has only ASCII letters, digits and the bytes of also.
func hasOnly(s, also string) bool {
	for i := range len(s) {
		c := s[i]
		if !('a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte(also, c) >= 0) {
			return false
		}
	}
	return s != ""
}

func (c Config) checkRedis(k *checker) {
	r := c.Redis
	if len(r.Prefix) > 32 || !hasOnly(r.Prefix, "-_.") {
		k.add("redis.prefix", "%q is not 1 to 32 letters, digits, hyphens, underscores and dots; write it like signet", r.Prefix)
	}
	checkACLUser(k, "redis.username", r.Username)
	checkACLUser(k, "redis.sentinel_username", r.SentinelUsername)
	k.number("redis.pool_size", r.PoolSize, 0, 10_000)
	k.number("redis.wait_replicas", r.WaitReplicas, 0, 5)
	c.checkRedisTLS(k)
}

func checkACLUser(k *checker, field, name string) {
	if strings.ContainsAny(name, " \t\r\n\x00") {
		k.add(field, "has a space in it, and no name of an ACL user has; write the name that ACL LIST shows")
	}
}

func (c Config) checkRedisTLS(k *checker) {
	r := c.Redis
	if store, ok := c.RedisStore(); ok && !store.TLS {
		c.refuseRedisTLS(k, store)
		return
	}
	if (r.Cert == "") != (r.Key == "") {
		k.add("redis.cert", "redis.cert and redis.key belong together; set both or neither")
	}
	if _, err := netip.ParseAddr(r.ServerName); r.ServerName != "" && err != nil && !isHost(r.ServerName) {
		k.add("redis.server_name", "%q is neither a host name nor an IP address; write it like redis.example", r.ServerName)
	}
}

// refuseRedisTLS is for a store without TLS: these settings have no effect there, and suggest that it is encrypted.
func (c Config) refuseRedisTLS(k *checker, store RedisStore) {
	r := c.Redis
	for _, f := range []struct{ name, value string }{
		{"redis.ca", r.CA}, {"redis.cert", r.Cert}, {"redis.key", r.Key}, {"redis.server_name", r.ServerName},
	} {
		if f.value != "" {
			k.add(f.name, "has no effect, since store begins with %s:// and is not encrypted; write %s:// there, or remove it",
				store.scheme(), store.encrypted().scheme())
		}
	}
}

// encrypted is r with TLS.
func (r RedisStore) encrypted() RedisStore {
	r.TLS = true
	return r
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
		list = append(list, Warning("store: "+store.scheme()+":// is not encrypted, so the password and all sessions cross the network "+
			"in the clear; write "+store.encrypted().scheme()+"://"))
	case !store.TLS:
		list = append(list, Warning("store: "+store.scheme()+":// is not encrypted and no password is set, so everybody on the network can read and change "+
			"users, sessions and clients; write "+store.encrypted().scheme()+"://, and "+setPassword))
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
