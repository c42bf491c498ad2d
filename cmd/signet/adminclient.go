package main

// The admin API, as the command line speaks it: JSON over HTTP, on the Unix socket or, with a bearer
// token of scope signet:admin, on admin.listen. The socket needs no token: who may open it may do everything.
//
//	GET    /v1/clients?after=&limit=            {"clients":[Client…],"next":"id, or empty"}
//	POST   /v1/clients                          a Client's writable fields; 201, Client and once "client_secret"
//	GET    /v1/clients/{id}                     Client
//	PATCH  /v1/clients/{id}                     only the given fields change; Client
//	DELETE /v1/clients/{id}                     204
//	POST   /v1/clients/{id}/secret              {"revoke_old":bool}; {"client_id","client_secret"}
//	POST   /v1/clients/{id}/disable, /enable    Client
//	GET    /v1/users?after=&limit=              {"users":[User…],"next":"username, or empty"}
//	POST   /v1/users                            {"username","password","claims"}; 201, User
//	GET, PATCH, DELETE /v1/users/{username}     User; {"claims":{…}} gives User; 204
//	PUT    /v1/users/{username}/password        {"password"}; 204
//	POST   /v1/users/{username}/disable, /enable    User
//	POST   /v1/users:import                     NDJSON lines {"username","password_hash","claims"};
//	                                            {"accepted":n,"refused":[{"line","username","reason"}]}
//	GET    /v1/users/{username}/sessions        {"sessions":[Session…]}
//	DELETE /v1/users/{username}/sessions        {"revoked":n}
//	DELETE /v1/users/{username}/sessions/{sid}  204, or 404 when there is no such session
//	DELETE /v1/sessions                         everybody's; {"clients":n}, of which each had its not-before moved
//	GET    /v1/keys                             {"version","keys":[Key…],"replicas":[{"replica","keyring_version","at"}]}
//	GET    /v1/keys/plan?for=                   {"version","from","until","cut","keys":[…],"steps":[…]}
//	POST   /v1/keys/rotate                      {"alg","emergency":bool}, alg empty for all; the keys and "activates_at",
//	                                            in an emergency "rotations"
//	POST   /v1/keys/{kid}/revoke                {"emergency":bool}; a Revocation
//	POST   /v1/keys/rewrap                      {"version","changed","master_keys","needed_until"}
//	GET    /v1/audit?after=&type=&client_id=&sub=&limit=&newest=true    {"events":[Event…],"next":seq}
//	GET    /v1/backup                           the store, application/octet-stream
//	GET    /v1/status                           {"issuer","version","started_at","store","ready"…}
//	GET    /metrics                             Prometheus text
//
// {username} is percent-encoded; a sub (usr_…) does as well. Refinements that the tables do not show:
//
//   - PATCH on a user is a merge: the claims that are named are set, one that is null is removed,
//     the others stay (RFC 7396). PATCH on a client replaces each list as a whole.
//   - POST /v1/users without a password makes a user who cannot log in until one is set.
//   - jwks is a JWK Set of public keys, left out where there are none; null takes them away.
//   - access_token_ttl is a Go duration such as "5m0s"; "" is the server's.
//   - "next" of the audit trail is the seq to send as after for what comes later; it is always there,
//     also when there were no events, so that following needs no other state.
//   - Times are RFC 3339. In a Key, a time that is not known is left out; "next" is the state it
//     goes to at "next_at", both left out for a key that stays as it is.
//   - Errors are {"error":"not_found|exists|refused|invalid|unauthorized|unavailable|…","message":"a sentence
//     that says what to do"} with 400, 401, 404, 409 or 503. The message is shown as it is, except that
//     not_found and exists are put in the words of the command line: see refusal.go.

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
