package config

import (
	"errors"
	"fmt"
	"math"
	"net"
	"net/url"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"signet/config/duration"
	"signet/config/reader"
	"signet/config/redisurl"
	"signet/server/syntax"
)

func join(problems []*reader.Problem) error {
	errs := make([]error, len(problems))
	for i, p := range problems {
		errs[i] = p
	}
	return errors.Join(errs...)
}

// Validate reports everything that is wrong with c, or nil.
func (c Config) Validate() error { return join(c.problems()) }

// checker gathers problems.
type checker struct{ list []*reader.Problem }

func (k *checker) add(field, format string, args ...any) {
	k.list = append(k.list, &reader.Problem{Field: field, Text: fmt.Sprintf(format, args...)})
}

// check adds an error, if there is one.
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
		k.add(field, "is %s; set it from %s to %s", duration.Format(value), duration.Format(least), duration.Format(most))
	}
}

func (c Config) problems() []*reader.Problem {
	k := &checker{}
	c.checkNames(k)
	c.checkListeners(k)
	c.checkTokens(k)
	c.Password.check(k)
	c.Users.Upstream.check(k)
	c.Page.check(k)
	c.BackChannelLogout.check(k)
	c.Throttle.check(k)
	c.Keys.check(k)
	c.Keys.HSM.check(k)
	c.Redis.check(k)
	c.checkRedisTLS(k)
	c.Log.check(k)
	c.Audit.check(k)
	c.Shutdown.check(k)
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
			k.add("algorithms", "write EdDSA for Ed25519; verifiers do not support the other name")
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

// checkStore never repeats its argument: a password may be in it.
func checkStore(store string) error {
	if path, ok := strings.CutPrefix(store, "bolt:"); ok {
		if path == "" {
			return fmt.Errorf("bolt: names no file; write it like bolt:signet.db")
		}
		return nil
	}
	_, err := redisurl.Parse(store)
	return err
}

// checkAudience holds the audience to what clients can be registered with, so that it can be requested as a resource
// (RFC 8707 §2).
func (c Config) checkAudience(k *checker) {
	if n := len(strings.Join(c.Audience, "")); len(c.Audience) > syntax.MaxAudiences || n > syntax.MaxAudienceLength {
		k.add("audience", "has %d names with %d characters in all; at most %d with %d fit in a token", len(c.Audience), n, syntax.MaxAudiences, syntax.MaxAudienceLength)
	}
	for i, a := range c.Audience {
		switch {
		case syntax.CheckAudience(a) != "":
			k.add("audience", "%q is not a name for a service; write an absolute URL without a fragment, or a word, of at most %d characters", a, syntax.MaxAudience)
		case slices.Contains(c.Audience[:i], a):
			k.add("audience", "has %q twice; remove one", a)
		}
	}
}

const (
	forever = 3650 * duration.Day // long enough for anything that must end
	manyInt = 1_000_000
)

func (c Config) checkTokens(k *checker) {
	k.duration("access_token.ttl", c.AccessToken.TTL, time.Second, time.Hour)
	if c.AccessToken.TTL <= time.Hour && c.AccessToken.TTL > c.Keys.MaxTokenLife { // beyond an hour it has a problem already
		k.add("access_token.ttl", "is %s and keys.max_token_life only %s; shorten the one or raise the other",
			duration.Format(c.AccessToken.TTL), duration.Format(c.Keys.MaxTokenLife))
	}
	k.duration("refresh.grace", c.Refresh.Grace, 0, time.Minute)
	k.duration("refresh.late", c.Refresh.Late, 0, forever)
	k.duration("refresh.idle", c.Refresh.Idle, time.Second, forever)
	k.duration("refresh.absolute", c.Refresh.Absolute, time.Second, forever)
	if c.Refresh.Idle > c.Refresh.Absolute {
		k.add("refresh.idle", "is %s, longer than refresh.absolute with %s; shorten the one or raise the other",
			duration.Format(c.Refresh.Idle), duration.Format(c.Refresh.Absolute))
	}
	k.number("refresh.max_replays", c.Refresh.MaxReplays, 1, math.MaxUint16)
	k.number("refresh.sessions_per_user", c.Refresh.SessionsPerUser, 1, 10_000)
}

func (p Password) check(k *checker) {
	k.number("password.min_length", p.MinLength, 8, 64)
	for _, word := range p.Context {
		if len(word) < 3 {
			k.add("password.context", "%q is too short to be looked for; write words of three letters or more", word)
		}
	}
	// Below OWASP's smallest parameters a stolen table is cheap to search; above, one login can take the machine.
	k.number("password.argon2.memory_kib", int(p.Argon2.MemoryKiB), 7168, 4<<20)
	k.number("password.argon2.time", int(p.Argon2.Time), 1, 100)
	k.number("password.argon2.threads", int(p.Argon2.Threads), 1, 64)
	k.number("password.import.argon2_memory_kib", int(p.Import.MemoryKiB), 8, 1<<20)
	k.number("password.import.argon2_work_kib", int(p.Import.WorkKiB), 8, 4<<20)
	k.number("password.import.bcrypt_cost", p.Import.BcryptCost, 4, 16)
	k.oneOf("password.process", p.Process, "auto", "off")
	k.number("password.slots", p.Slots, 0, 1024)
	k.number("password.queue", p.Queue, 0, 100_000)
	k.duration("password.wait", p.Wait, 10*time.Millisecond, 10*time.Second)
}

func (l Throttle) check(k *checker) {
	k.number("throttle.per_account", l.PerAccount, 1, 100)
	k.number("throttle.anywhere", l.Anywhere, 0, 100)
	k.number("throttle.per_network", l.PerNetwork, 0, manyInt)
	k.number("throttle.per_client", l.PerClient, 0, manyInt)
}

// check checks each duration by itself. CheckTimetable checks how they fit together.
func (k Keys) check(c *checker) {
	k.checkPreset(c)
	c.duration("keys.publish", k.Publish, time.Second, forever)
	c.duration("keys.active", k.Active, time.Second, forever)
	c.duration("keys.retain", k.Retain, time.Second, forever)
	c.duration("keys.cache", k.Cache, 0, forever)
	c.duration("keys.cdn", k.CDN, 0, forever)
	c.duration("keys.skew", k.Skew, 0, time.Hour)
	c.duration("keys.max_token_life", k.MaxTokenLife, time.Second, time.Hour)
	c.duration("keys.leeway", k.Leeway, 0, time.Hour)
	c.duration("keys.sign_stale", k.SignStale, time.Second, forever)
	c.duration("keys.serve_stale", k.ServeStale, time.Second, forever)
	c.duration("keys.poll", k.Poll, 100*time.Millisecond, time.Hour)
}

func (l Log) check(k *checker) {
	k.oneOf("log.level", l.Level, "debug", "info", "warn", "error")
	k.oneOf("log.format", l.Format, "json", "text")
}

func (a Audit) check(k *checker) {
	k.number("audit.retain", a.Retain, 1000, 100*manyInt)
	k.number("audit.keys", a.Keys, 0, 100*manyInt)
	k.number("audit.admin", a.Admin, 0, 100*manyInt)
	k.number("audit.sessions", a.Sessions, 0, 100*manyInt)
	k.number("audit.own", a.Own, 0, 100*manyInt)
	k.number("audit.refusals", a.Refusals, 0, 100*manyInt)
}

func (s Shutdown) check(k *checker) {
	k.duration("shutdown.delay", s.Delay, 0, 10*time.Minute)
	k.duration("shutdown.drain", s.Drain, 0, 10*time.Minute)
}

func (k Keys) checkPreset(c *checker) {
	if slices.Contains(Presets(), k.Preset) {
		return
	}
	text := "%q is not one of standard, strict, fast"
	if meant := reader.Nearest(k.Preset, Presets()); meant != "" {
		text += "; did you mean " + meant + "?"
	}
	c.add("keys.preset", text, k.Preset)
}

func (h HSM) check(k *checker) {
	switch {
	case h.Module == "" && h.Token != "":
		k.add("keys.hsm.module", "is empty and keys.hsm.token is %q; set both, or neither for keys without an HSM", h.Token)
	case h.Module != "" && h.Token == "":
		k.add("keys.hsm.token", "is empty; set the label of the token that is to hold the keys")
	case h.Module != "" && !filepath.IsAbs(h.Module):
		// A name alone is searched in the system's library path, and could be another library's.
		k.add("keys.hsm.module", "%q is not an absolute path; write where the library is, such as /usr/lib/softhsm/libsofthsm2.so", h.Module)
	}
	// A request is answered within 10 s whatever happens.
	k.duration("keys.hsm.timeout", h.Timeout, 50*time.Millisecond, 8*time.Second)
	k.number("keys.hsm.concurrency", h.Concurrency, 1, 1000)
}
