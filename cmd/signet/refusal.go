package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// apiError is the server's refusal.
type apiError struct {
	Status  int    `json:"-"`
	Code    string `json:"error"`
	Message string `json:"message"`
}

func (e *apiError) Error() string { return e.Message }

// refusal reads why the server said no.
func (c *adminClient) refusal(resp *http.Response) error {
	data, _ := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	e := &apiError{Status: resp.StatusCode}
	if err := json.Unmarshal(data, e); err != nil || e.Message == "" {
		e.Message = fmt.Sprintf("%s answered %s; is it the admin API of a signet server of this version?", c.where, resp.Status)
		return e
	}
	switch {
	case e.Code == "not_found" || e.Code == "exists":
		e.translate(strings.Split(strings.TrimPrefix(resp.Request.URL.EscapedPath(), "/v1/"), "/"))
	case e.Status == http.StatusUnauthorized && c.token == "":
		e.Message = "the server wants a token of scope signet:admin, or a narrower one; give one with --admin-token-file or SIGNET_ADMIN_TOKEN"
	case e.Status == http.StatusInternalServerError:
		e.Message += ": " + resp.Header.Get("X-Request-Id")
	}
	return e
}

// translate says in the words of the command line what the server says in those of HTTP. path is
// that of the request, in parts.
func (e *apiError) translate(path []string) {
	noun, id := strings.TrimSuffix(path[0], "s"), "id"
	if noun == "user" {
		id = "name"
	}
	switch {
	case noun == "key" && e.Code == "not_found" && len(path) == 3:
		e.Message = fmt.Sprintf("there is no key %q; `signet keys list` shows them", unescape(path[1]))
	case noun != "client" && noun != "user":
	case e.Code == "exists":
		e.Message = fmt.Sprintf("a %s of that %s exists already; choose another %s, or `signet %s update` that one", noun, id, id, noun)
	case len(path) == 4 && path[2] == "secrets" && strings.HasPrefix(e.Message, "this client has no"): // which is about the secret
	case len(path) == 4 && path[2] == "sessions":
		e.Message = fmt.Sprintf("user %q has no session %q; `signet session list` shows them", unescape(path[1]), unescape(path[3]))
	case len(path) > 1:
		e.Message = fmt.Sprintf("there is no %s %q; `signet %s list` shows them", noun, unescape(path[1]), noun)
	}
}

func unescape(segment string) string {
	s, err := url.PathUnescape(segment)
	if err != nil {
		return segment
	}
	return s
}
