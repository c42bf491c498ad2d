// Package outbound calls other systems by HTTP: addresses of private networks only where they are named, no proxy of the environment, no
// redirects.
package outbound

import (
	"crypto/tls"
	"errors"
	"net/http"
	"net/url"
	"time"
)

// maxHeader bounds the headers of a response, in bytes.
const maxHeader = 32 << 10

// Client returns a client that connects with d. A redirect is returned as the response that it is. settings are for the
// server's certificate and the client's own; nil: the system's authorities, and none.
func (d Dialer) Client(settings *tls.Config) *http.Client {
	return &http.Client{
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{DialContext: d.DialContext, TLSClientConfig: settings, ForceAttemptHTTP2: true, DisableCompression: true,
			MaxIdleConns: 16, MaxIdleConnsPerHost: 16, IdleConnTimeout: 4 * time.Second, MaxResponseHeaderBytes: maxHeader},
	}
}

// WithoutURL drops the URL from an error of a client: it could have a secret in it.
func WithoutURL(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}
