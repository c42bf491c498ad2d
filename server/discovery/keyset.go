package discovery

import (
	"fmt"
	"net/http"
	"strings"
	"time"

	"signet/keys"
	"signet/server/edge"
)

// KeySet is GET /.well-known/jwks.json: bytes that were rendered when the set last changed.
func (h *Handler) KeySet(r *edge.Request) (edge.Response, error) {
	set, err := h.cfg.Keys.JWKS()
	if err != nil {
		return edge.Response{}, edge.Unavailable(err)
	}
	headers := h.keySetHeaders.Load()
	if headers == nil || headers.etag != set.ETag || headers.maxAge != set.MaxAge {
		headers = newKeySetHeaders(set, h.cfg.StaleIfError)
		h.keySetHeaders.Store(headers)
	}
	if namesETag(r.Header.Get("If-None-Match"), set.ETag) {
		return edge.Response{Status: http.StatusNotModified, Header: headers.unchanged}, nil
	}
	return edge.Response{Header: headers.whole, Raw: set.Body}, nil
}

// keySetHeaders are the headers of a key set. All responses with that set and that age share them.
type keySetHeaders struct {
	etag   string
	maxAge time.Duration

	whole     http.Header // of status 200
	unchanged http.Header // of status 304
}

// newKeySetHeaders has stale-if-error let a cache respond with a set it has while this server cannot (RFC 5861 §4).
func newKeySetHeaders(set keys.JWKS, staleIfError time.Duration) *keySetHeaders {
	h := &keySetHeaders{etag: set.ETag, maxAge: set.MaxAge, unchanged: http.Header{
		"Cache-Control": {fmt.Sprintf("public, max-age=%d, stale-if-error=%d", set.MaxAge/time.Second, staleIfError/time.Second)},
		"Etag":          {set.ETag},
	}}
	h.whole = h.unchanged.Clone()
	h.whole["Content-Type"] = []string{"application/jwk-set+json"}
	return h
}

// namesETag reports whether an If-None-Match header names the entity tag (RFC 9110 §13.1.2).
func namesETag(header, etag string) bool {
	for candidate := range strings.SplitSeq(header, ",") {
		candidate = strings.TrimPrefix(strings.TrimSpace(candidate), "W/")
		if candidate == etag || candidate == "*" {
			return true
		}
	}
	return false
}
