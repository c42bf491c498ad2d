package server

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"signet/server/edge"
)

// handleJWKS is GET /.well-known/jwks.json: bytes that were rendered when the set last changed.
// stale-if-error lets a cache answer with a set it has while this server cannot (RFC 5861 §4).
func (s *Server) handleJWKS(c *edge.Request) (edge.Response, error) {
	set, err := s.cfg.Keys.JWKS()
	if err != nil {
		return edge.Response{}, edge.Unavailable(err)
	}
	h := http.Header{
		"Cache-Control": {"public, max-age=" + strconv.Itoa(int(set.MaxAge/time.Second)) +
			", stale-if-error=" + strconv.Itoa(int(s.cfg.StaleIfError/time.Second))},
		"Etag": {set.ETag},
	}
	return notModified(c, h, set.ETag, "application/jwk-set+json", set.Body), nil
}

// notModified answers 304 without a body where the caller has these bytes already (RFC 9110 §13.1.2).
func notModified(c *edge.Request, h http.Header, etag, contentType string, body []byte) edge.Response {
	for candidate := range strings.SplitSeq(c.Header.Get("If-None-Match"), ",") {
		candidate = strings.TrimPrefix(strings.TrimSpace(candidate), "W/")
		if candidate == etag || candidate == "*" {
			return edge.Response{Status: http.StatusNotModified, Header: h}
		}
	}
	h["Content-Type"] = []string{contentType}
	return edge.Response{Header: h, Raw: body}
}
