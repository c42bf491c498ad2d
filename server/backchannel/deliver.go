package backchannel

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"signet/server/outbound"
)

// maxBody is how much of the body of an answer is read, in bytes.
const maxBody = 4 << 10

// refusalError is an answer after which the logout is not sent again.
type refusalError struct{ status int }

func (e *refusalError) Error() string { return fmt.Sprintf("the app answered %d", e.status) }

// deliver posts the token (§2.5). The error is a *refusalError where the app does not take it.
func (s *Sender) deliver(ctx context.Context, uri, token string) error {
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Timeout)
	defer cancel()
	body := url.Values{"logout_token": {token}}.Encode()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, uri, strings.NewReader(body))
	if err != nil {
		return outbound.WithoutURL(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("User-Agent", "signet")
	resp, err := s.cfg.HTTP.Do(req)
	if err != nil {
		return outbound.WithoutURL(err)
	}
	defer resp.Body.Close()
	_, _ = io.CopyN(io.Discard, resp.Body, maxBody)
	switch code := resp.StatusCode; {
	case code >= 200 && code < 300:
		return nil
	case code == http.StatusRequestTimeout || code == http.StatusTooEarly || code == http.StatusTooManyRequests || code < 400 || code >= 500:
		return fmt.Errorf("the app answered %d", code)
	default:
		return &refusalError{code}
	}
}
