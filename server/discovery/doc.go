// Package discovery serves what verifiers, client libraries and load balancers look for: the key set (RFC 7517), the
// metadata of the authorization server (RFC 8414), and health. All of it is answered from memory, but for the readiness,
// which asks the store.
package discovery

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"signet/keys"
)

// Config configures a Handler. All fields are required.
type Config struct {
	Issuer     string
	GrantTypes []string
	Scopes     []string // that mean something at /userinfo
	Claims     []string // that /userinfo may answer with, beside sub
	ACRs       []string // that a sign-in can have
	// Serves reports whether there is a route at the path, relative to the issuer. It is asked when requests arrive, not before.
	Serves func(path string) bool
	// BackChannelLogout reports whether apps are informed when a session has ended.
	BackChannelLogout bool
	Keys              *keys.Manager
	Ping              func(ctx context.Context) error // whether the store answers
	Draining          func() bool                     // whether the server is shutting down
	// HashingFellBack reports whether passwords are hashed in the server because their process does not run.
	HashingFellBack func() bool
	NamesCollide    func() bool // whether several users have one name

	StaleIfError time.Duration // how long caches may serve the key set while they cannot reach us; 0: not at all
	Log          *slog.Logger
}

// Handler has the handlers of this package.
type Handler struct {
	cfg           Config
	keySetHeaders atomic.Pointer[keySetHeaders] // as they were sent last
	metadata      atomic.Pointer[metadataResponse]
}

// New returns a Handler.
func New(cfg Config) *Handler { return &Handler{cfg: cfg} }
