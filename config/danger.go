package config

import (
	"fmt"
	"time"
)

// Beyond these a setting is allowed and hardly meant. Each is well above its default.
const (
	manyReplays  = 5000
	longGrace    = 30 * time.Second
	longSkew     = 10 * time.Minute
	longLeeway   = 15 * time.Minute
	longTokenTTL = 30 * time.Minute
	longSilence  = time.Hour
	longAbsolute = 400 * 24 * time.Hour
	manySessions = 1000
)

// dangerWarnings are about values that take back what the defaults protect from.
func (c Config) dangerWarnings() (list []Warning) {
	warn := func(dangerous bool, format string, args ...any) {
		if dangerous {
			list = append(list, Warning(fmt.Sprintf(format, args...)))
		}
	}
	text := FormatDuration
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
		"keys.skew: a replica whose clock is %s off signs tokens that say the wrong time, and revocations count that much later there; set the clocks right (chrony, NTP) and leave it out for the default of %s", text(c.Keys.Skew), text(Default().Keys.Skew))
	warn(c.Keys.Leeway > longLeeway,
		"keys.leeway: verifiers that accept tokens %s after their expiry accept them for that long after a revocation; most add none, and one minute is usual", text(c.Keys.Leeway))
	warn(c.AccessToken.TTL > longTokenTTL,
		"access_token.ttl: services that only use the key set accept a token for %s after its session was revoked; leave it out for the default of %s", text(c.AccessToken.TTL), text(Default().AccessToken.TTL))
	warn(c.Keys.SignStale > longSilence,
		"keys.sign_stale: a replica that is cut off from the store signs with a revoked key for up to %s; leave it out for the default of %s", text(c.Keys.SignStale), text(Default().Keys.SignStale))
	warn(c.Throttle.PerAccount > 50,
		"throttle.per_account: %d passwords of one account can be guessed from one network before it has to wait; leave it out for the default of %d", c.Throttle.PerAccount, Default().Throttle.PerAccount)
	warn(c.Throttle.PerNetwork > 10_000,
		"throttle.per_network: %d failed logins a minute from one network is as good as no limit; leave it out for the default of %d", c.Throttle.PerNetwork, Default().Throttle.PerNetwork)
	warn(c.Throttle.PerClient > 10_000,
		"throttle.per_client: %d failed authentications a minute is as good as no limit; leave it out for the default of %d", c.Throttle.PerClient, Default().Throttle.PerClient)
	return list
}
