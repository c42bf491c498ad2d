package server

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"net/netip"
	"time"

	"signet/store"
)

// ThrottleConfig limits failed attempts. Zero in a limit turns that limit off.
type ThrottleConfig struct {
	PerAccount int // failed logins of one account from one network before it must wait, 1 s doubling to 60 s
	PerNetwork int // failed logins a minute from one network, whatever the accounts
	PerClient  int // failed client authentications a minute of one client id from one network
}

const (
	accountWindow  = 15 * time.Minute // of quiet, after which failures are forgotten
	accountBackoff = time.Minute
	networkWindow  = time.Minute
	// sameAttempt: golang.org/x/oauth2 sends a refused request a second time, with the client's
	// credentials elsewhere. The person mistyped once, so it counts once.
	sameAttempt = 10 * time.Second
)

// throttle turns people and places into buckets. Keys are MACs: the store learns no username and
// no address, and neither does who reads its dump.
type throttle struct{ key secretKey }

func (t *throttle) mac(kind string, parts ...string) string {
	m := hmac.New(sha256.New, t.key.bytes())
	m.Write([]byte(kind))
	for _, part := range parts {
		m.Write([]byte{0})
		m.Write([]byte(part))
	}
	return kind + ":" + base64.RawURLEncoding.EncodeToString(m.Sum(nil)[:16])
}

// place is the caller's network: everything is counted from there.
func (t *throttle) place(addr netip.Addr) string { return t.mac("network", network(addr).String()) }

func (t *throttle) accountKey(username string) string { return t.mac("account", username) }

// loginsKey counts the logins of a place, whatever the accounts.
const loginsKey = "logins"

// login is one login attempt. It counts before the password is hashed; a login that succeeds gives back.
func (t *throttle) login(cfg ThrottleConfig, username, password string, addr netip.Addr) store.Attempt {
	a := store.Attempt{Place: t.place(addr)}
	if cfg.PerAccount > 0 {
		a.Buckets = append(a.Buckets, store.Bucket{Key: t.accountKey(username), Limit: cfg.PerAccount,
			Window: accountWindow, Backoff: accountBackoff, Same: []byte(t.mac("attempt", username, password)), SameFor: sameAttempt})
	}
	if cfg.PerNetwork > 0 {
		a.Buckets = append(a.Buckets, store.Bucket{Key: loginsKey, Limit: cfg.PerNetwork, Window: networkWindow})
	}
	return a
}

// client is one failed client authentication.
func (t *throttle) client(cfg ThrottleConfig, clientID string, addr netip.Addr) store.Attempt {
	a := store.Attempt{Place: t.place(addr)}
	if cfg.PerClient > 0 {
		a.Buckets = []store.Bucket{{Key: t.mac("client", clientID), Limit: cfg.PerClient, Window: networkWindow}}
	}
	return a
}

// admin is one failed authentication at the admin listener.
func (t *throttle) admin(cfg ThrottleConfig, addr netip.Addr) store.Attempt {
	a := store.Attempt{Place: t.place(addr)}
	if cfg.PerNetwork > 0 {
		a.Buckets = []store.Bucket{{Key: "admin", Limit: cfg.PerNetwork, Window: networkWindow}}
	}
	return a
}
