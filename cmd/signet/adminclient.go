package main

// The admin API, as the command line uses it: JSON over HTTP, on the Unix socket or, with a bearer token, on
// admin.listen. package server/admin/api is its reference. Its messages are shown as they are, except that not_found and
// exists are put in the words of the command line: see refusal.go.

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// maxAnswer bounds an answer that is decoded as a whole.
const maxAnswer = 64 << 20

// adminTimeout bounds a call that is not a stream. Setting a password waits for a hash.
const adminTimeout = 30 * time.Second

// adminClient calls the admin API of one server.
type adminClient struct {
	base  string // without a trailing slash
	where string // the socket or URL, for messages
	token string // empty on the socket
	http  *http.Client
}

// call sends in as JSON, unless it is nil, and decodes the answer into out, unless that is nil.
func (c *adminClient) call(ctx context.Context, method, path string, in, out any) error {
	ctx, cancel := context.WithTimeout(ctx, adminTimeout)
	defer cancel()
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("writing the request: %w", err)
		}
		body = bytes.NewReader(data)
	}
	return c.exchange(ctx, method, path, "application/json", body, out)
}

// exchange is call without a time limit and with a body of any type.
func (c *adminClient) exchange(ctx context.Context, method, path, contentType string, body io.Reader, out any) error {
	resp, err := c.send(ctx, method, path, contentType, body)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("reading the answer of %s: %w; is it a signet server of this version?", c.where, err)
	}
	return nil
}

// send returns the answer of a request that the server did not refuse; the caller closes its body.
func (c *adminClient) send(ctx context.Context, method, path, contentType string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, body)
	if err != nil {
		return nil, fmt.Errorf("making the request: %w", err)
	}
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	if c.token != "" {
		req.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return nil, c.unreachable(err)
	}
	if resp.StatusCode >= 300 {
		defer resp.Body.Close()
		return nil, c.refusal(resp)
	}
	return resp, nil
}

// A page is one part of a list, and what to send as after for the next one.
type page[T any] struct {
	items []T
	next  string
}

// pages calls fetch until the list is through or each returns an error.
func pages[T any](after string, fetch func(after string) (page[T], error), each func(T) error) error {
	for {
		p, err := fetch(after)
		if err != nil {
			return err
		}
		for _, item := range p.items {
			if err := each(item); err != nil {
				return err
			}
		}
		if p.next == "" {
			return nil
		}
		if p.next == after {
			return errors.New("the server's list does not end; this is a fault of the server, please report it")
		}
		after = p.next
	}
}

// pathTo joins the parts of a path, each percent-encoded.
func pathTo(parts ...string) string {
	var b strings.Builder
	b.WriteString("/v1")
	for _, p := range parts {
		b.WriteByte('/')
		b.WriteString(url.PathEscape(p))
	}
	return b.String()
}
