package config

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"signet/server/syntax"
)

// Validate reports everything that is wrong with c, or nil.
func (c Config) Validate() error { return join(c.problems()) }

// checker gathers problems.
type checker struct{ list []*Problem }

func (k *checker) add(field, format string, args ...any) {
	k.list = append(k.list, &Problem{Field: field, Text: fmt.Sprintf(format, args...)})
}

// check adds what err says, if it says anything.
func (k *checker) check(field string, err error) {
	if err != nil {
		k.add(field, "%s", err)
	}
}

func (k *checker) oneOf(field, value string, allowed ...string) {
	if !slices.Contains(allowed, value) {
		k.add(field, "%q is not one of %s", value, strings.Join(allowed, ", "))
	}
}

func (k *checker) number(field string, value, least, most int) {
	if value < least || value > most {
		k.add(field, "is %d; set it from %d to %d", value, least, most)
	}
}

func (k *checker) duration(field string, value, least, most time.Duration) {
	if value < least || value > most {
		k.add(field, "is %s; set it from %s to %s", FormatDuration(value), FormatDuration(least), FormatDuration(most))
	}
}

func (c Config) problems() []*Problem {
	k := &checker{}
	c.checkNames(k)
	c.checkListeners(k)
	c.checkTokens(k)
	c.checkPassword(k)
	c.checkKeys(k)
	c.checkHSM(k)
	c.checkRedis(k)
	c.checkRunning(k)
	return k.list
}

func (c Config) checkNames(k *checker) {
	k.check("issuer", checkIssuer(c.Issuer))
	k.check("store", checkStore(c.Store))
	if c.MasterKeyFile == "" {
		k.add("master_key_file", "is empty; name the file, or leave the key out and set SIGNET_MASTER_KEY")
	}
	checkAlgorithms(k, c.Algorithms)
	c.checkAudience(k)
	if strings.ContainsAny(c.DefaultClient, " \t\r\n:") {
		k.add("default_client", "%q cannot be a client's id; write the id that `signet client list` shows", c.DefaultClient)
	}
}

func checkAlgorithms(k *checker, algorithms []string) {
	if len(algorithms) == 0 {
		k.add("algorithms", "is empty; name at least one of ES256, RS256, PS256, EdDSA")
	}
	for i, alg := range algorithms {
		switch {
		case alg == "Ed25519":
			k.add("algorithms", "write EdDSA for Ed25519; verifiers do not know the other name")
		case slices.Contains(algorithms[:i], alg):
			k.add("algorithms", "has %s twice; remove one", alg)
		default:
			k.oneOf("algorithms", alg, "ES256", "RS256", "PS256", "EdDSA")
		}
	}
}

func (c Config) checkListeners(k *checker) {
	c.checkListen(k, "listen", c.Listen)
	k.number("max_connections", c.MaxConnections, 0, manyInt)
	if c.Admin.Listen != "" {
		c.checkListen(k, "admin.listen", c.Admin.Listen)
		if c.Admin.Listen == c.Listen {
			k.add("admin.listen", "is the same as listen; give it a port of its own")
		}
	}
	if c.Admin.Socket == "" {
		k.add("admin.socket", "is empty; name the socket, or leave the key out for admin.sock in data_dir")
	}
	// The kernel's sun_path has 108 bytes, some systems' 104.
	if len(c.Admin.Socket) > 103 {
		k.add("admin.socket", "is %d characters long and the system takes 103; set a shorter path", len(c.Admin.Socket))
	}
	if (c.TLS.Cert == "") != (c.TLS.Key == "") {
		k.add("tls.cert", "tls.cert and tls.key belong together; set both or neither")
	}
}

func (c Config) checkListen(k *checker, field, addr string) {
	host, port, err := net.SplitHostPort(addr)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	if err != nil {
		k.add(field, "%q is not host:port with a port from 0 to 65535; write it like 127.0.0.1:8080", addr)
		return
	}
	if !syntax.Loopback(host) && c.TLS.Cert == "" && !c.TLS.TerminatedByProxy {
		k.add(field, "%q is reachable from other machines and passwords would cross the network in the clear; "+
			"set tls.cert and tls.key, or tls.terminated_by_proxy: true behind a TLS proxy, or listen on 127.0.0.1", addr)
	}
}

func checkIssuer(issuer string) error {
	if issuer == "" {
		return fmt.Errorf("is required; set the URL by which apps reach this server, such as https://auth.example.com")
	}
	u, err := url.Parse(issuer)
	switch {
	case err != nil || u.Host == "" || u.Opaque != "":
		return fmt.Errorf("%q is not an absolute URL; write it like https://auth.example.com", issuer)
	case u.User != nil:
		return fmt.Errorf("has a user name in it; remove everything up to the @")
	case !strings.HasPrefix(issuer, "https://") && !strings.HasPrefix(issuer, "http://"):
		return fmt.Errorf("%q must begin with https://", issuer)
	case u.Scheme == "http" && !syntax.Loopback(u.Hostname()):
		return fmt.Errorf("%q is plain http; write https:// (http is for localhost only; behind a TLS proxy the issuer is https too)", issuer)
	case strings.ContainsAny(issuer, "?#"):
		return fmt.Errorf("%q has a query or fragment; remove it", issuer)
	case strings.HasSuffix(issuer, "/"):
		return fmt.Errorf("%q ends in a slash; remove it, since verifiers compare the issuer byte for byte", issuer)
	case u.JoinPath().Path != u.Path && u.Path != "":
		return fmt.Errorf("%q has a path with empty or dotted parts; write it plainly", issuer)
	}
	return nil
}

// checkStore never repeats what it is given: a password may be in it.
func checkStore(store string) error {
	if path, ok := strings.CutPrefix(store, "bolt:"); ok {
		if path == "" {
			return fmt.Errorf("bolt: names no file; write it like bolt:signet.db")
		}
		return nil
	}
	_, err := parseRedisURL(store)
	return err
}
