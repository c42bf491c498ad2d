package server

import (
	"crypto/hmac"
	"crypto/sha256"
	"net/http"

	"signet/server/admin"
)

// Admin returns the admin API for a Unix socket, whose mode 0600 is the authentication: a process that can open it may use
// every verb.
func (s *Server) Admin() http.Handler { return s.admin.Socket() }

// AdminWithToken returns the same for a TCP listener, where each verb needs an access token with its scope.
func (s *Server) AdminWithToken() http.Handler { return s.admin.Token() }

// newAdmin takes keys that derive from the master keys, in their order.
func newAdmin(s *Server, keys [][32]byte) *admin.Admin {
	cfg := s.cfg
	importKeys := make([][32]byte, len(keys))
	for i, key := range keys {
		mac := hmac.New(sha256.New, key[:])
		mac.Write([]byte("signet imported password hashes"))
		mac.Sum(importKeys[i][:0])
	}
	return admin.New(admin.Config{
		Issuer: cfg.Issuer, Version: cfg.Version, Started: s.started, MaxTokenLife: cfg.MaxTokenLife, Upstream: cfg.Upstream.Kind,
		Store: cfg.Store, Keys: cfg.Keys, Passwords: cfg.Passwords, Throttle: s.throttle, Audit: s.audit, Checker: s.checker, Edge: s.edge,
		Registry: cfg.Registry, Log: cfg.Log, Now: cfg.Now,
		Settings: func() admin.Settings {
			set := s.settings()
			return admin.Settings{Lifetimes: set.Lifetimes, Policy: set.Policy, Throttle: set.Throttle}
		},
		Clients: s.clients, Floors: s.floors, Replica: s.replica, Sealed: cfg.Seals != nil, ImportKeys: importKeys,
		Error: asError, ClientWarnings: s.clientWarnings, SampleHashes: s.hashes.Want, WrapHashes: s.wraps.Want,
		Readiness: s.discovery.Readiness,
	})
}
