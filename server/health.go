package server

import (
	"context"
	"net/http"

	"signet/server/edge"
)

// handleHealth says that the process answers. It asks nobody: a store that is down is no reason to
// restart a replica that still serves keys.
func (s *Server) handleHealth(*edge.Request) (edge.Response, error) {
	return edge.Response{Body: map[string]string{"status": "ok"}}, nil
}

// readiness says, per function, whether it would work now. It names functions, never causes: those
// are in the log.
type readiness struct {
	Ready    bool `json:"ready"`
	Store    bool `json:"store"`    // logins and refreshes
	Signing  bool `json:"signing"`  // any token
	Clock    bool `json:"clock"`    // tells the same time as the other replicas and the store
	KeySet   bool `json:"key_set"`  // verifiers
	Draining bool `json:"draining"` // shutting down; send nothing new

	// Why Clock is false: clock_off, by those of the store and the other replicas, or clock_behind, the
	// latest time that was ever seen.
	Reason string `json:"reason,omitempty"`
}

// handleReady is for load balancers: 503 takes this replica out of turn.
func (s *Server) handleReady(c *edge.Request) (edge.Response, error) {
	r := s.readiness(c.Context())
	status := http.StatusOK
	if !r.Ready {
		status = http.StatusServiceUnavailable
	}
	return edge.Response{Status: status, Body: r}, nil
}

func (s *Server) readiness(ctx context.Context) readiness {
	_, setErr := s.cfg.Keys.JWKS()
	storeErr := s.store.Ping(ctx)
	r := readiness{Store: storeErr == nil, Signing: s.cfg.Keys.Ready() == nil, Clock: s.cfg.Keys.Clock().Check() == nil, KeySet: setErr == nil, Draining: s.edge.Draining()}
	r.Ready = r.Store && r.Signing && r.Clock && r.KeySet && !r.Draining
	switch {
	case r.Clock:
	case s.cfg.Keys.Clock().Behind() > 0 && !s.cfg.Keys.Clock().Status().Off:
		r.Reason = "clock_behind"
	default:
		r.Reason = "clock_off"
	}
	if storeErr != nil {
		s.log.WarnContext(ctx, "store is not ready", "error", storeErr)
	}
	return r
}
