package config

import (
	"math"
	"slices"
	"strconv"
	"time"
)

const (
	forever = 3650 * day // long enough for anything that must end
	manyInt = 1_000_000
)

func (c Config) checkTokens(k *checker) {
	k.duration("access_token.ttl", c.AccessToken.TTL, time.Second, time.Hour)
	if c.AccessToken.TTL > c.Keys.MaxTokenLife {
		k.add("access_token.ttl", "is %s and keys.max_token_life only %s; shorten the one or raise the other",
			FormatDuration(c.AccessToken.TTL), FormatDuration(c.Keys.MaxTokenLife))
	}
	k.duration("refresh.grace", c.Refresh.Grace, 0, time.Minute)
	k.duration("refresh.late", c.Refresh.Late, 0, forever)
	k.duration("refresh.idle", c.Refresh.Idle, time.Second, forever)
	k.duration("refresh.absolute", c.Refresh.Absolute, time.Second, forever)
	if c.Refresh.Idle > c.Refresh.Absolute {
		k.add("refresh.idle", "is %s, longer than refresh.absolute with %s; shorten the one or raise the other",
			FormatDuration(c.Refresh.Idle), FormatDuration(c.Refresh.Absolute))
	}
	k.number("refresh.max_replays", c.Refresh.MaxReplays, 1, math.MaxUint16)
	k.number("refresh.sessions_per_user", c.Refresh.SessionsPerUser, 1, 10_000)
}

func (c Config) checkPassword(k *checker) {
	p := c.Password
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
	k.number("password.slots", p.Slots, 0, 1024)
	k.number("password.queue", p.Queue, 0, 100_000)
	k.duration("password.wait", p.Wait, 10*time.Millisecond, 10*time.Second)
	k.number("throttle.per_account", c.Throttle.PerAccount, 1, 100)
	k.number("throttle.anywhere", c.Throttle.Anywhere, 0, 100)
	k.number("throttle.per_network", c.Throttle.PerNetwork, 0, manyInt)
	k.number("throttle.per_client", c.Throttle.PerClient, 0, manyInt)
}

// checkKeys checks each time by itself; whether they fit together is for package keys to say.
func (c Config) checkKeys(k *checker) {
	c.checkPreset(k)
	t := c.Keys
	k.duration("keys.publish", t.Publish, time.Second, forever)
	k.duration("keys.active", t.Active, time.Second, forever)
	k.duration("keys.retain", t.Retain, time.Second, forever)
	k.duration("keys.cache", t.Cache, 0, forever)
	k.duration("keys.cdn", t.CDN, 0, forever)
	k.duration("keys.skew", t.Skew, 0, time.Hour)
	k.duration("keys.max_token_life", t.MaxTokenLife, time.Second, time.Hour)
	k.duration("keys.leeway", t.Leeway, 0, time.Hour)
	k.duration("keys.sign_stale", t.SignStale, time.Second, forever)
	k.duration("keys.serve_stale", t.ServeStale, time.Second, forever)
	k.duration("keys.poll", t.Poll, 100*time.Millisecond, time.Hour)
}

func (c Config) checkRunning(k *checker) {
	k.oneOf("log.level", c.Log.Level, "debug", "info", "warn", "error")
	k.oneOf("log.format", c.Log.Format, "json", "text")
	k.number("audit.retain", c.Audit.Retain, 1000, 100*manyInt)
	k.number("audit.keys", c.Audit.Keys, 0, 100*manyInt)
	k.number("audit.admin", c.Audit.Admin, 0, 100*manyInt)
	k.number("audit.sessions", c.Audit.Sessions, 0, 100*manyInt)
	k.number("audit.own", c.Audit.Own, 0, 100*manyInt)
	k.number("audit.refusals", c.Audit.Refusals, 0, 100*manyInt)
	k.duration("shutdown.delay", c.Shutdown.Delay, 0, 10*time.Minute)
	k.duration("shutdown.drain", c.Shutdown.Drain, 0, 10*time.Minute)
}

// warnings are about settings that are allowed and hardly meant. A password of Redis can be in a
// variable, which c does not show.
func (c Config) warnings(redisPassword bool) []Warning {
	return slices.Concat(c.proxyWarnings(), c.presetWarnings(), c.throttleWarnings(), c.refreshWarnings(), c.dangerWarnings(), c.redisWarnings(redisPassword))
}

// refreshWarnings are about windows in which a stolen refresh token is worth more than by default.
func (c Config) refreshWarnings() (list []Warning) {
	r, usual := c.Refresh, Default().Refresh
	if r.Late > r.Idle && r.Late != usual.Late {
		list = append(list, Warning("refresh.late: is "+FormatDuration(r.Late)+", longer than refresh.idle with "+FormatDuration(r.Idle)+"; only the shorter one counts"))
	}
	if r.Late > 0 && r.Late < r.Grace {
		list = append(list, Warning("refresh.late: is "+FormatDuration(r.Late)+", shorter than refresh.grace with "+FormatDuration(r.Grace)+
			", so it has no effect; make it longer, or 0s to turn it off"))
	}
	if r.Grace >= time.Minute && r.MaxReplays > usual.MaxReplays {
		list = append(list, Warning("refresh.grace: with "+FormatDuration(r.Grace)+" and refresh.max_replays of "+strconv.Itoa(r.MaxReplays)+
			" a refresh token that leaked can be used beside its owner for long; leave both out for the defaults"))
	}
	return list
}

// throttleWarnings are about limits that are off.
func (c Config) throttleWarnings() (list []Warning) {
	for _, t := range []struct {
		setting, guess string
		value, normal  int
	}{
		{"throttle.per_network", "passwords of many accounts", c.Throttle.PerNetwork, 100},
		{"throttle.per_client", "client secrets", c.Throttle.PerClient, 100},
	} {
		if t.value == 0 {
			list = append(list, Warning(t.setting+": 0 turns this limit off, so one network can guess "+t.guess+" as fast as the server answers; "+
				"leave it out for the default of "+strconv.Itoa(t.normal)))
		}
	}
	if c.Throttle.Anywhere == 0 {
		list = append(list, "throttle.anywhere: 0 turns this limit off, so the passwords of one account can be guessed from many networks at once; leave it out for the default of 30")
	}
	return list
}

// proxyWarnings: who a caller is for the throttles is what the proxies that are named say, and nobody else.
func (c Config) proxyWarnings() []Warning {
	if c.TLS.TerminatedByProxy && len(c.TrustedProxies) == 0 {
		return []Warning{"trusted_proxies: is empty, so all users count as one caller, the proxy of tls.terminated_by_proxy, and failed " +
			"logins of one shut out all; set it to the proxy's addresses, such as [10.0.0.1]"}
	}
	var list []Warning
	for _, p := range c.TrustedProxies {
		if p.Bits() == 0 {
			list = append(list, Warning("trusted_proxies: "+p.String()+" believes everyone's X-Forwarded-For, "+
				"so throttling by network can be dodged; name your proxies' addresses"))
		}
	}
	return list
}
