package cli

import "net/http"

// NoRedirects returns a client that follows no redirect, so that secrets go to the server that was named. A nil
// transport is the default one.
func NoRedirects(t http.RoundTripper) *http.Client {
	return &http.Client{
		Transport:     t,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}
