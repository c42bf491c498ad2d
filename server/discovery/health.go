package discovery

import (
	"context"
	"net/http"

	"signet/server/admin/api"
	"signet/server/edge"
)

// Health answers that the process runs. It asks no dependency: a store that is down is no reason to restart a replica
// that still serves keys.
func (h *Handler) Health(*edge.Request) (edge.Response, error) {
	return edge.Response{Body: map[string]string{"status": "ok"}}, nil
}

// Ready is for load balancers: 503 takes this replica out of turn.
func (h *Handler) Ready(r *edge.Request) (edge.Response, error) {
	ready := h.Readiness(r.Context())
	status := http.StatusOK
	if !ready.Ready {
		status, r.Outcome = http.StatusServiceUnavailable, "unready"
	}
	return edge.Response{Status: status, Body: ready}, nil
}

// Readiness reports for each function whether it would work now. It names functions, never causes: those are in the
// log.
func (h *Handler) Readiness(ctx context.Context) api.Readiness {
	_, setErr := h.cfg.Keys.JWKS()
	storeErr := h.cfg.Ping(ctx)
	clock := h.cfg.Keys.Clock()
	r := api.Readiness{Store: storeErr == nil, Signing: h.cfg.Keys.Ready() == nil, Clock: clock.Check() == nil, KeySet: setErr == nil, Draining: h.cfg.Draining()}
	r.Ready = r.Store && r.Signing && r.Clock && r.KeySet && !r.Draining
	if h.cfg.HashingFellBack() {
		r.Hashing = "fell_back"
	}
	if h.cfg.NamesCollide() {
		r.Usernames = "collide"
	}
	switch {
	case r.Clock:
	case clock.Behind() > 0 && !clock.Status().Off:
		r.Reason = "clock_behind"
	default:
		r.Reason = "clock_off"
	}
	if storeErr != nil {
		h.cfg.Log.WarnContext(ctx, "store is not ready", "error", storeErr)
	}
	return r
}
