// Package redisurl reads and writes the address of a Redis store: one server, the master that Sentinels
// name, or a cluster, each with TLS or without.
//
// There is never a secret in a URL: one that has a user name or password is refused, and no error repeats more
// of it than its scheme.
package redisurl

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Mode is how the servers of a Redis store work together.
type Mode string

const (
	Standalone Mode = "standalone" // one server
	Sentinel   Mode = "sentinel"   // Sentinels name the server that is the master
	Cluster    Mode = "cluster"    // the servers share the keys among them
)

// URL is the address of a Redis store. There is no secret in it.
type URL struct {
	Mode   Mode
	TLS    bool
	Addrs  []string // host:port of the server, of the Sentinels, or of some servers of the cluster
	Master string   // the name of the master at the Sentinels; empty in the other modes
	DB     int      // 0 in a cluster, which has no other
}

// String is the URL that spells r, with every port.
func (r URL) String() string {
	s := r.Scheme() + "://" + strings.Join(r.Addrs, ",")
	if r.Mode == Sentinel {
		s += "/" + r.Master
	}
	if r.DB != 0 {
		s += "/" + strconv.Itoa(r.DB)
	}
	return s
}

// Scheme is redis or rediss, and the mode behind a plus where it is not one server.
func (r URL) Scheme() string {
	s := "redis"
	if r.TLS {
		s = "rediss"
	}
	if r.Mode != Standalone {
		s += "+" + string(r.Mode)
	}
	return s
}

// example is a URL of the same scheme, for messages.
func (r URL) example() string {
	switch r.Mode {
	case Sentinel:
		return r.Scheme() + "://s1.example,s2.example,s3.example/mymaster"
	case Cluster:
		return r.Scheme() + "://r1.example,r2.example,r3.example"
	default:
		return r.Scheme() + "://redis.example"
	}
}

func (r URL) defaultPort() string {
	if r.Mode == Sentinel {
		return "26379"
	}
	return "6379"
}

// Parse reads a URL by rules of its own: package url accepts much that would be misunderstood here, and its
// errors repeat their input. Those of Parse repeat the scheme at most, since a password can be in any other part
// by mistake.
func Parse(s string) (URL, error) {
	scheme, rest, _ := strings.Cut(s, ":")
	r, ok := ofScheme(scheme)
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

func ofScheme(scheme string) (URL, bool) {
	for _, mode := range []Mode{Standalone, Sentinel, Cluster} {
		for _, tls := range []bool{false, true} {
			if r := (URL{Mode: mode, TLS: tls}); r.Scheme() == scheme {
				return r, true
			}
		}
	}
	return URL{}, false
}

func (r *URL) setAddrs(list []string) error {
	if len(list) > 1 && r.Mode == Standalone {
		one := r.Scheme()
		return fmt.Errorf("has more than one host, and %s:// takes one; write %s+sentinel:// or %s+cluster:// for several", one, one, one)
	}
	for i, s := range list {
		addr, err := parseAddr(s, r.defaultPort())
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

func parseAddr(s, defaultPort string) (string, error) {
	host, port, err := splitAddr(s)
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

// splitAddr leaves the colon to the port, so that a port that is missing differs from an empty one.
func splitAddr(s string) (host, port string, err error) {
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
	if !IsHost(host) {
		return "", "", errors.New("its host is neither a name nor an IP address; write it like redis.example, 10.0.0.5 or [fd00::5]")
	}
	return host, s[len(host):], nil
}

// IsHost reports whether s is an IPv4 address or a name. Names may have underscores, which those of
// containers do, and the dot at the end that keeps a resolver from searching.
func IsHost(s string) bool {
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

func (r *URL) setPath(path string, slash bool) error {
	switch r.Mode {
	case Cluster:
		if slash {
			return errors.New("names a database, and a cluster has only one; remove it with its slash")
		}
		return nil
	case Sentinel:
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
