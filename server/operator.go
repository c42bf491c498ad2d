package server

import (
	"context"
	"net/http"

	"signet/server/admin"
	"signet/server/admin/api"
	"signet/server/edge"
	"signet/store"
)

// Admin returns the admin API for a Unix socket, whose mode 0600 is the authentication: whoever can open it may use
// every verb.
func (s *Server) Admin() http.Handler { return s.admin.Socket() }

// AdminWithToken returns the same for a TCP listener, where each verb needs an access token with its scope.
func (s *Server) AdminWithToken() http.Handler { return s.admin.Token() }

func newAdmin(s *Server) *admin.Admin {
	cfg := s.cfg
	return admin.New(admin.Config{
		Issuer: cfg.Issuer, Version: cfg.Version, Started: s.started, MaxTokenLife: cfg.MaxTokenLife,
		Store: cfg.Store, Keys: cfg.Keys, Passwords: cfg.Passwords, Throttle: s.throttle, Audit: s.audit, Checker: s.checker, Edge: s.edge,
		Registry: cfg.Registry, Log: cfg.Log, Now: cfg.Now,
		Settings: func() admin.Settings {
			set := s.settings()
			return admin.Settings{Lifetimes: set.Lifetimes, Policy: set.Policy, Throttle: set.Throttle}
		},
		Clients: s.clients, Floors: s.floors, Replicas: replicas{s}, Sealed: cfg.Seals != nil,
		Error: asError, Bearer: bearer, Begin: beginNow,
		StoredName: s.storedName, ClientWarnings: s.clientWarnings, SampleHashes: s.hashes.want,
		Readiness: func(r *edge.Request) api.Readiness { return api.Readiness(s.readiness(r.Context())) },
	})
}

// replicas are the servers on the same store, for the admin API.
type replicas struct{ server *Server }

func (r replicas) ID() string               { return r.server.replica }
func (r replicas) Beat(ctx context.Context) { r.server.beat(ctx) }
func (r replicas) Live(ctx context.Context) ([]store.Heartbeat, error) {
	return r.server.liveBeats(ctx)
}
