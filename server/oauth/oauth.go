// Package oauth has OAuth's endpoints for clients: the token endpoint with its grants, revocation (RFC 7009),
// introspection (RFC 7662, RFC 9701) and userinfo.
//
// A request for tokens goes through token.go (grant type, the client's grants) to package engine, which calls back for
// the checks of the grant (scope.go, audience.go) and, last, for its one step that changes something: password.go, which
// asks package signin, refresh.go or clientcredentials.go. A request that is refused before that step has changed nothing.
//
// errors.go is the only place where inner errors become RFC 6749 codes. A failure of something that Signet depends on
// is 503 temporarily_unavailable with Retry-After, and the same request may be sent again: a refresh whose response was
// lost finds its successor waiting.
package oauth

import (
	"log/slog"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signet/keys"
	"signet/server/audit"
	"signet/server/clientauth"
	"signet/server/edge"
	"signet/server/oauth/engine"
	"signet/server/signin"
	"signet/server/token"
	"signet/store"
)

// Settings can change while the server runs.
type Settings struct {
	signin.Settings
	Audience   []string      // aud of clients that list none; empty: the issuer
	Grace      time.Duration // in which a rotated refresh token gets its successor again; 0: none
	MaxReplays uint16        // how often at most; 0: 1000
	Late       time.Duration // in which it gets a new one after that, while the successor is unused; at most Lifetimes.Idle; 0: none
}

// Config configures a Handler. All fields are required.
type Config struct {
	Issuer       string
	Store        store.Store
	Keys         *keys.Manager
	SignIn       *signin.Engine
	Clients      *clientauth.Cache
	Tokens       *token.Issuer
	Checker      *token.Checker
	Sealer       *token.Sealer
	Audit        *audit.Recorder
	Log          *slog.Logger
	Now          func() time.Time
	Registry     prometheus.Registerer
	MaxTokenLife time.Duration
	Settings     func() *Settings       // in force; what it points to is never changed
	Dependency   func(err error) string // which dependency has failed, a kind of package outage
	Foreign      func(raw string)       // counts a presented token that is not active
}

// Handler has the handlers of this package.
type Handler struct {
	*shared
	refresh    refreshGrant
	code       codeGrant
	revoker    revoker
	introspect introspector
	engine     *engine.Engine

	audienceNoted sync.Map // by client id: the log has it that the client sends audience
}

// shared is what the parts of a Handler have in common.
type shared struct {
	cfg         Config
	rotations   *prometheus.CounterVec
	pinnedNoted sync.Map // clients that are pinned to an algorithm which is gone, and that one, as they were logged
	noIDNoted   sync.Map // clients that get no id_token, as they were logged
	wrongNoted  sync.Map // standard claims of users that are not of their type, as they were logged
}

// New returns a Handler, and registers its metrics.
func New(cfg Config) *Handler {
	s := &shared{cfg: cfg,
		rotations: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signet_refresh_outcomes_total",
			Help: "What presented refresh tokens turned out to be: rotated, replayed, reuse, healed, ahead, revoked, gone."}, []string{"outcome"}),
	}
	cfg.Registry.MustRegister(s.rotations)
	return &Handler{shared: s, refresh: refreshGrant{shared: s}, code: codeGrant{s}, revoker: revoker{s}, introspect: introspector{s},
		engine: engine.New()}
}

// Revoke is POST /revoke.
func (h *Handler) Revoke(r *edge.Request, client *store.Client) (edge.Response, error) {
	return h.revoker.respond(r, client)
}

// Introspect is POST /introspect.
func (h *Handler) Introspect(r *edge.Request, client *store.Client) (edge.Response, error) {
	return h.introspect.respond(r, client)
}
