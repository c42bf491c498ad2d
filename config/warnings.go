package config

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"signet/config/duration"
)

// Warning describes a setting that is valid but probably unintended.
type Warning string

// warnings returns those of the whole configuration. A password of Redis can be in a variable, which c does
// not show.
func (c Config) warnings(redisPassword bool) []Warning {
	return slices.Concat(c.proxyWarnings(), c.Keys.warnings(), c.Throttle.warnings(), c.Refresh.warnings(), c.dangerWarnings(),
		c.redisWarnings(redisPassword), c.upstreamWarnings(), c.Page.warnings())
}

// warnings are about windows in which a stolen refresh token is worth more than by default.
func (r Refresh) warnings() (list []Warning) {
	usual := Default().Refresh
	if r.Late > r.Idle && r.Late != usual.Late {
		list = append(list, Warning("refresh.late: is "+duration.Format(r.Late)+", longer than refresh.idle with "+
			duration.Format(r.Idle)+"; only the shorter one counts"))
	}
	if r.Late > 0 && r.Late < r.Grace {
		list = append(list, Warning("refresh.late: is "+duration.Format(r.Late)+", shorter than refresh.grace with "+duration.Format(r.Grace)+
			", so it has no effect; make it longer, or 0s to turn it off"))
	}
	if r.Grace >= time.Minute && r.MaxReplays > usual.MaxReplays {
		list = append(list, Warning("refresh.grace: with "+duration.Format(r.Grace)+" and refresh.max_replays of "+strconv.Itoa(r.MaxReplays)+
			" a refresh token that leaked can be used beside its owner for long; leave both out for the defaults"))
	}
	return list
}

// warnings are about limits that are off.
func (l Throttle) warnings() (list []Warning) {
	for _, t := range []struct {
		setting, guess string
		value, normal  int
	}{
		{"throttle.per_network", "passwords of many accounts", l.PerNetwork, 100},
		{"throttle.per_client", "client secrets", l.PerClient, 100},
	} {
		if t.value == 0 {
			list = append(list, Warning(t.setting+": 0 turns this limit off, so one network can guess "+t.guess+" as fast as the server answers; "+
				"leave it out for the default of "+strconv.Itoa(t.normal)))
		}
	}
	if l.Anywhere == 0 {
		list = append(list, "throttle.anywhere: 0 turns this limit off, so the passwords of one account can be guessed from many networks at once; leave it out for the default of 30")
	}
	return list
}

// proxyWarnings are about proxies whose X-Forwarded-For decides who a caller is for the throttles.
func (c Config) proxyWarnings() []Warning {
	if c.TLS.TerminatedByProxy && len(c.TrustedProxies) == 0 {
		return []Warning{"trusted_proxies: is empty, so all users count as one caller, the proxy of tls.terminated_by_proxy, and failed " +
			"logins of one shut out all; set it to the proxy's addresses, such as [10.0.0.1]"}
	}
	var list []Warning
	for _, p := range c.TrustedProxies {
		if p.Bits() == 0 {
			list = append(list, Warning("trusted_proxies: "+p.String()+" accepts everyone's X-Forwarded-For, "+
				"so throttling by network can be dodged; name your proxies' addresses"))
		}
	}
	return list
}

func (k Keys) warnings() []Warning {
	if k.Preset != presetFast {
		return nil
	}
	return []Warning{"keys.preset: fast is for tests and demos: keys change every few seconds, and verifiers that fetch the key set again at most every so often refuse fresh tokens " +
		"(jose 30s, keyfunc 5m, jwx 15m; PyJWT and go-oidc fetch at once)"}
}

// Beyond these a setting is valid but probably unintended. Each is well above its default.
const (
	manyReplays  = 5000
	longGrace    = 30 * time.Second
	longSkew     = 10 * time.Minute
	longLeeway   = 15 * time.Minute
	longTokenTTL = 30 * time.Minute
	longSilence  = time.Hour
	longAbsolute = 400 * 24 * time.Hour
	manySessions = 1000

	fewConnections = 32 // one browser opens six, one proxy some dozens
)

// dangerWarnings are about values that remove a protection of the defaults.
func (c Config) dangerWarnings() (list []Warning) {
	warn := func(dangerous bool, format string, args ...any) {
		if dangerous {
			list = append(list, Warning(fmt.Sprintf(format, args...)))
		}
	}
	text := duration.Format
	warn(c.Refresh.Grace > 0 && c.Refresh.MaxReplays > manyReplays,
		"refresh.max_replays: %d lets whoever has copied a refresh token use it that often within refresh.grace (%s) unnoticed; a retry needs a few: leave it out for the default of %d",
		c.Refresh.MaxReplays, text(c.Refresh.Grace), Default().Refresh.MaxReplays)
	warn(c.Refresh.Grace > longGrace && c.Refresh.MaxReplays <= Default().Refresh.MaxReplays, // together they have a warning of their own
		"refresh.grace: for %s after each rotation a copied refresh token is answered and raises no alarm; apps retry within seconds: leave it out for the default of %s", text(c.Refresh.Grace), text(Default().Refresh.Grace))
	warn(c.Refresh.Absolute > longAbsolute,
		"refresh.absolute: %s is how long a stolen session can be carried on; leave it out for the default of %s", text(c.Refresh.Absolute), text(Default().Refresh.Absolute))
	warn(c.Refresh.SessionsPerUser > manySessions,
		"refresh.sessions_per_user: with %d sessions one user can fill the store; leave it out for the default of %d", c.Refresh.SessionsPerUser, Default().Refresh.SessionsPerUser)
	warn(c.Keys.Skew > longSkew,
		"keys.skew: a replica whose clock is %s off signs tokens with the wrong time, and revocations count that much later there; set the clocks right (chrony, NTP) and leave it out for the default of %s", text(c.Keys.Skew), text(Default().Keys.Skew))
	warn(c.Keys.Leeway > longLeeway,
		"keys.leeway: verifiers that accept tokens %s after their expiry accept them for that long after a revocation; most add none, and one minute is usual", text(c.Keys.Leeway))
	warn(c.AccessToken.TTL > longTokenTTL,
		"access_token.ttl: services that only use the key set accept a token for %s after its session was revoked; leave it out for the default of %s", text(c.AccessToken.TTL), text(Default().AccessToken.TTL))
	warn(c.Keys.SignStale > longSilence,
		"keys.sign_stale: a replica that is cut off from the store signs with a revoked key for up to %s; leave it out for the default of %s", text(c.Keys.SignStale), text(Default().Keys.SignStale))
	warn(c.MaxConnections > 0 && c.MaxConnections < fewConnections,
		"max_connections: %d connections are used up by a few apps, and new ones then end idle ones or are refused; leave it out for as many as the machine can hold", c.MaxConnections)
	warn(c.Log.Usernames,
		"log.usernames: what is typed as a username is written to the log and the audit trail in clear, also where it is a password in the wrong field; leave it out, and the names of users are written all the same")
	warn(c.Throttle.PerAccount > 50,
		"throttle.per_account: %d passwords of one account can be guessed from one network before it has to wait; leave it out for the default of %d", c.Throttle.PerAccount, Default().Throttle.PerAccount)
	warn(c.Throttle.PerNetwork > 10_000,
		"throttle.per_network: %d failed logins a minute from one network is as good as no limit; leave it out for the default of %d", c.Throttle.PerNetwork, Default().Throttle.PerNetwork)
	warn(c.Throttle.PerClient > 10_000,
		"throttle.per_client: %d failed authentications a minute is as good as no limit; leave it out for the default of %d", c.Throttle.PerClient, Default().Throttle.PerClient)
	return list
}
