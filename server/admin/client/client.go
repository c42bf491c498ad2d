package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"signet/server/admin/api"
	"signet/server/syntax"
)

const (
	maxAnswer   = 64 << 20         // bytes of an answer that is decoded as a whole
	maxError    = 1 << 20          // bytes of a refusal
	callTimeout = 30 * time.Second // of a verb that is no stream; setting a password waits for a hash
	dialTimeout = 5 * time.Second
)

// Client calls the admin API of one server. It is safe for concurrent use once its fields are set.
type Client struct {
	Where string // the socket or the URL, for messages
	Token string // the access token for a URL; empty: none is sent
	// Explain, if it is set, replaces each *Error and *UnreachableError by one in the words of a user interface.
	Explain func(error) error

	base string // without a trailing slash
	http *http.Client
}

// Socket returns a client for the admin socket at path. Where check is not nil it sees each connection before
// anything is sent, and its error ends the call.
func Socket(path string, check func(net.Conn) error) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		conn, err := (&net.Dialer{Timeout: dialTimeout}).DialContext(ctx, "unix", path)
		if err != nil || check == nil {
			return conn, err
		}
		if err := check(conn); err != nil {
			conn.Close()
			return nil, err
		}
		return conn, nil
	}
	return newClient(path, "http://signet", &http.Transport{DialContext: dial})
}

// URL returns a client for the admin API at an address such as https://auth.example.com:8443. It takes http only
// for loopback addresses. The proxy of the environment is used: it sees the host and encrypted bytes.
func URL(address string) (*Client, error) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" || (u.Scheme != "https" && u.Scheme != "http") || u.RawQuery != "" || u.User != nil {
		return nil, fmt.Errorf("%q is not the URL of an admin API; write it like https://auth.example.com:8443", address)
	}
	if u.Scheme == "http" && !syntax.Loopback(u.Hostname()) {
		return nil, fmt.Errorf("%q would send the token in the clear; use https", address)
	}
	return newClient(address, strings.TrimRight(address, "/"), http.DefaultTransport.(*http.Transport).Clone()), nil
}

func newClient(where, base string, transport http.RoundTripper) *Client {
	return &Client{Where: where, base: base, http: &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

// OnSocket reports whether the client uses a Unix socket.
func (c *Client) OnSocket() bool { return c.base == "http://signet" }

// Call makes one request and decodes its answer into out, unless that is nil. in is nil, a value to send as JSON,
// or an io.Reader of NDJSON. A verb that is no stream must end within 30 seconds.
func (c *Client) Call(ctx context.Context, t api.Target, in, out any) error {
	if !t.Stream {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, callTimeout)
		defer cancel()
	}
	answer, err := c.Open(ctx, t, in)
	if err != nil {
		return err
	}
	defer answer.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(answer, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("reading the answer of %s: %w; is it a signet server of this version?", c.Where, err)
	}
	return nil
}

// Open makes one request and returns its answer, which the caller closes. It sets no time limit.
func (c *Client) Open(ctx context.Context, t api.Target, in any) (io.ReadCloser, error) {
	body, contentType, err := encode(in)
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, t.Method, c.base+t.URL, body)
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	if t.Accept != "" {
		req.Header.Set("Accept", t.Accept)
	}
	if t.IfMatch != "" {
		req.Header.Set("If-Match", `"`+t.IfMatch+`"`)
	}
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.explain(&UnreachableError{Client: c, Err: err})
	}
	if resp.StatusCode >= 300 {
		defer resp.Body.Close()
		return nil, c.explain(c.refusal(t, resp))
	}
	return resp.Body, nil
}

func encode(in any) (body io.Reader, contentType string, err error) {
	switch in := in.(type) {
	case nil:
		return nil, "", nil
	case io.Reader:
		return in, "application/x-ndjson", nil
	}
	data, err := json.Marshal(in)
	if err != nil {
		return nil, "", fmt.Errorf("writing the request: %w", err)
	}
	return bytes.NewReader(data), "application/json", nil
}

func (c *Client) explain(err error) error {
	if c.Explain == nil {
		return err
	}
	return c.Explain(err)
}
