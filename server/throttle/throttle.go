package throttle

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/netip"
	"strconv"
	"time"

	"signet/store"
)

// Config is how many attempts may fail. Zero in a limit turns that limit off.
type Config struct {
	PerAccount int // failed logins of one account from one network before it must wait, 1 s doubling to 60 s
	PerNetwork int // failed logins a minute from one network, whatever the accounts
	PerClient  int // failed client authentications a minute of one client id from one network
	Anywhere   int // failed logins of one account from all networks where it has not logged in before; then one a minute
}

// MaxGuessesPerHour is how many wrong passwords of one account are hashed in any hour, with the default of
// Config.Anywhere, from all networks together where the account has not logged in before.
const MaxGuessesPerHour = 100

const (
	accountWindow  = 15 * time.Minute // of quiet, after which failures are forgotten
	accountBackoff = time.Minute
	networkWindow  = time.Minute
	anywhereWindow = time.Hour
	// sameAttempt: golang.org/x/oauth2 sends a refused request a second time, with the client's
	// credentials elsewhere. The person mistyped once, so it counts once.
	sameAttempt = 10 * time.Second
	sameSize    = 2 // bytes
)

// Throttle derives limits from usernames, client ids and addresses.
type Throttle struct {
	keys  []func() []byte // functions, because package fmt would print the keys
	inUse func() int
}

// New returns a Throttle with keys that derive from the master keys, in their order, and the index of the
// one in use: the one that all replicas have.
func New(secrets [][32]byte, inUse func() int) *Throttle {
	t := &Throttle{inUse: inUse}
	for _, secret := range secrets {
		t.keys = append(t.keys, func() []byte { return secret[:] })
	}
	return t
}

// sum is the MAC of parts for one purpose.
func (t *Throttle) sum(purpose string, parts ...string) []byte {
	m := hmac.New(sha256.New, t.keys[min(t.inUse(), len(t.keys)-1)]())
	m.Write([]byte(purpose))
	for _, part := range parts {
		m.Write([]byte{0})
		m.Write([]byte(part))
	}
	return m.Sum(nil)
}

const markSize = 12 // bytes of a MAC in a key

func (t *Throttle) mark(purpose string, parts ...string) string {
	return base64.RawURLEncoding.EncodeToString(t.sum(purpose, parts...)[:markSize])
}

// networks are those that an address is counted in, the narrowest first.
func networks(addr netip.Addr) (list []netip.Prefix) {
	sizes := []int{64, 56, 48}
	if addr.Is4() {
		sizes = []int{24}
	}
	for _, bits := range sizes {
		prefix, err := addr.WithZone("").Prefix(bits)
		if err != nil {
			return []netip.Prefix{{}}
		}
		list = append(list, prefix)
	}
	return list
}

// place is what all networks of an address have in common, so that one step of the store counts in all of them.
func (t *Throttle) place(addr netip.Addr) string {
	all := networks(addr)
	return "net-" + t.mark("place", all[len(all)-1].String())
}

func (t *Throttle) accountPlace(username string) string {
	return "account-" + t.mark("account", username)
}

// Kinds of limits, as their keys begin and operators see them.
const (
	KindAccount  = "account"  // logins of an account from a network
	KindLogins   = "logins"   // logins from a network
	KindAnywhere = "anywhere" // logins of an account from new networks
	KindClient   = "client"   // authentications of a client from a network
	KindUnknown  = "unknown"  // authentications in the name of no client from a network
	KindAdmin    = "admin"    // authentications at the admin listener from a network
)

// levels adds one limit for each network of the address. factor is by how much each is wider than the one before.
func (t *Throttle) levels(scope *store.Scope, addr netip.Addr, kind, mark string, free, factor int, rest store.Limit) {
	for _, prefix := range networks(addr) {
		l := rest
		l.Key = kind + "." + strconv.Itoa(max(prefix.Bits(), 0)) + "." + mark + "." + t.mark("network", prefix.String())
		l.Free = free
		scope.Limits = append(scope.Limits, l)
		free *= factor
	}
}

// Login is one login attempt. An unknown name is counted like a known one.
func (t *Throttle) Login(cfg Config, id store.AttemptID, username, password string, addr netip.Addr) store.Attempt {
	here := store.Scope{Place: t.place(addr)}
	if cfg.PerAccount > 0 {
		t.levels(&here, addr, KindAccount, t.mark("account", username), cfg.PerAccount, 2, store.Limit{Window: accountWindow, Backoff: accountBackoff,
			Same: t.sum("attempt", username, password)[:sameSize], SameFor: sameAttempt, Forgive: true})
	}
	if cfg.PerNetwork > 0 {
		t.levels(&here, addr, KindLogins, "", cfg.PerNetwork, 4, store.Limit{Window: networkWindow})
	}
	a := store.Attempt{ID: id, Scopes: []store.Scope{here}}
	if cfg.Anywhere > 0 {
		all := networks(addr)
		a.Scopes = append(a.Scopes, store.Scope{Place: t.accountPlace(username),
			From:   t.sum("from", username, all[len(all)-1].String())[:store.FromSize],
			Limits: []store.Limit{{Key: KindAnywhere, Free: cfg.Anywhere, Window: anywhereWindow, Backoff: accountBackoff}}})
	}
	return a
}

// Client is one failed authentication of a client, or, where known is not set, in the name of no client.
// Ids that are made up have one limit together.
func (t *Throttle) Client(cfg Config, clientID string, known bool, addr netip.Addr) store.Scope {
	scope := store.Scope{Place: t.place(addr)}
	if cfg.PerClient <= 0 {
		return scope
	}
	kind, mark := KindUnknown, ""
	if known {
		kind, mark = KindClient, t.mark("client", clientID)
	}
	t.levels(&scope, addr, kind, mark, cfg.PerClient, 4, store.Limit{Window: networkWindow})
	return scope
}

// Admin is one failed authentication at the admin listener.
func (t *Throttle) Admin(cfg Config, addr netip.Addr) store.Scope {
	scope := store.Scope{Place: t.place(addr)}
	if cfg.PerNetwork > 0 {
		t.levels(&scope, addr, KindAdmin, "", cfg.PerNetwork, 4, store.Limit{Window: networkWindow})
	}
	return scope
}

// Draw is a number that belongs to the username and looks random. It is the same on every replica.
func (t *Throttle) Draw(username string) uint64 {
	return binary.BigEndian.Uint64(t.sum("draw", username))
}
