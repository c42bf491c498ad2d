package connect

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"syscall"

	"signet/server/admin/api"
	"signet/server/admin/client"
)

// explain replaces an error of the client by one in the words of the command line.
func explain(err error) error {
	if unreachable, ok := errors.AsType[*client.UnreachableError](err); ok {
		return explainUnreachable(unreachable)
	}
	if refused, ok := errors.AsType[*client.Error](err); ok {
		explained := *refused
		explained.Message = explainRefusal(refused)
		return &explained
	}
	return err
}

// explainWithoutToken is explain for a client that sends no token.
func explainWithoutToken(err error) error {
	if refused, ok := errors.AsType[*client.Error](err); ok && refused.Status == http.StatusUnauthorized {
		return errors.New("the server wants a token of scope signet:admin, or a narrower one; give one with --admin-token-file or SIGNET_ADMIN_TOKEN")
	}
	return explain(err)
}

func explainUnreachable(e *client.UnreachableError) error {
	where, err := e.Client.Where, e.Err
	if abs, absErr := filepath.Abs(where); absErr == nil && e.Client.OnSocket() {
		where = abs
	}
	if refused, ok := errors.AsType[peerError](err); ok {
		return refused
	}
	switch {
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted")
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no server is listening on %s: start one with `signet serve --config FILE` or `signet dev`", where)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("you may not open %s; run this as the user the server runs as", where)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("%s gave no answer in time, and whether it did what was asked is not known; look, then try again", where)
	}
	return fmt.Errorf("calling %s: %w", where, err)
}

// explainRefusal returns the message of the server, with commands in place of paths and JSON members.
func explainRefusal(e *client.Error) string {
	path := strings.Split(strings.TrimPrefix(e.Target.URL, "/v1/"), "/")
	noun, id := strings.TrimSuffix(path[0], "s"), "id"
	if noun == "user" {
		id = "name"
	}
	switch {
	case e.Status == http.StatusInternalServerError:
		return e.Message + ": " + e.RequestID
	case e.Code != api.CodeNotFound && e.Code != api.CodeExists:
	case noun == "key" && e.Code == api.CodeNotFound && len(path) == 3:
		return fmt.Sprintf("there is no key %q; `signet keys list` shows them", unescape(path[1]))
	case noun != "client" && noun != "user":
	case e.Code == api.CodeExists:
		return fmt.Sprintf("a %s of that %s exists already; choose another %s, or `signet %s update` that one", noun, id, id, noun)
	case len(path) == 4 && path[2] == "secrets" && strings.HasPrefix(e.Message, "this client has no"): // it is about the secret
	case len(path) == 4 && path[2] == "sessions":
		return fmt.Sprintf("user %q has no session %q; `signet session list` shows them", unescape(path[1]), unescape(path[3]))
	case len(path) > 1:
		return fmt.Sprintf("there is no %s %q; `signet %s list` shows them", noun, unescape(path[1]), noun)
	}
	return e.Message
}

func unescape(segment string) string {
	s, err := url.PathUnescape(segment)
	if err != nil {
		return segment
	}
	return s
}
