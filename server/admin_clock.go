package server

import "net/http"

// checkAdminClock refuses a change that an operator asks for, and says why.
func (s *Server) checkAdminClock() error {
	err := s.cfg.Keys.CheckClock()
	if err == nil {
		return nil
	}
	return &oauthError{Status: http.StatusServiceUnavailable, Code: "unavailable", cause: err,
		Description: "nothing was changed: " + err.Error() + "; set it right, or ask another replica"}
}
