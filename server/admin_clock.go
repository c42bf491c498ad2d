package server

import (
	"errors"
	"net/http"
	"time"

	"signet/keys/clockcheck"
	"signet/server/admin/api"
	"signet/server/edge"
	"signet/store"
)

// checkAdminClock refuses a change that an operator asks for, and says why.
func (s *Server) checkAdminClock() error {
	err := s.cfg.Keys.Clock().Check()
	if err == nil {
		return nil
	}
	return &edge.Error{Status: http.StatusServiceUnavailable, Code: api.CodeUnavailable, Cause: err,
		Description: "nothing was changed: " + err.Error() + "; set it right, or ask another replica" + s.resetAdvice()}
}

// resetAdvice names the way out where the clock is only behind a time that may have been the wrong one.
func (s *Server) resetAdvice() string {
	if s.cfg.Keys.Clock().Behind() == 0 {
		return ""
	}
	return "; if it is right and that time was wrong, run `signet keys clock-reset`"
}

// adminResetClock makes the time of now the latest that was ever seen. It is the one change that is made
// while the clock is behind: it is the way out after a clock that was ahead has been set right.
func (s *Server) adminResetClock(c *adminRequest) (edge.Response, error) {
	if _, err := readJSON(c, &struct{}{}); err != nil {
		return edge.Response{}, err
	}
	e := store.Event{Type: store.EventKeysClockReset}
	done, err := s.cfg.Keys.Edit().ResetClock(s.doing(c, &e))
	if errors.Is(err, clockcheck.ErrClock) {
		return edge.Response{}, adminRefused("this machine's clock differs from those of the store and the other replicas (%v): set it right first; nothing was changed", err)
	}
	if err != nil {
		return edge.Response{}, err
	}
	if done.Changed {
		e.Detail = map[string]string{"seen_at": done.SeenAt.Format(time.RFC3339)}
		s.did(c, e)
		s.replica.Beat(c.Context())
	}
	return edge.Response{Body: api.ClockReset(done)}, nil
}
