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

	"signet/cmd/signet/internal/cli"
	"signet/server/admin/api"
	"signet/server/admin/client"
)

// explain replaces an error of the admin client by one in the words of the command line.
func explain(err error) error {
	if e, ok := errors.AsType[*client.UnreachableError](err); ok {
		return explainUnreachable(e)
	}
	if e, ok := errors.AsType[*client.Error](err); ok {
		return explainRefusal(e, withFlags(e))
	}
	return err
}

// explainMembers is explain with the members of the admin API as the server names them.
func explainMembers(err error) error {
	if e, ok := errors.AsType[*client.Error](err); ok {
		return explainRefusal(e, e.Message)
	}
	return explain(err)
}

func explainUnreachable(e *client.UnreachableError) error {
	where := e.Client.Where
	if abs, err := filepath.Abs(where); err == nil && e.Client.OnSocket() {
		where = abs
	}
	if refused, ok := errors.AsType[peerError](e.Err); ok {
		return refused
	}
	switch {
	case errors.Is(e.Err, context.Canceled):
		return errors.New("interrupted")
	case errors.Is(e.Err, fs.ErrNotExist), errors.Is(e.Err, syscall.ECONNREFUSED):
		return fmt.Errorf("no server is listening on %s: start one with `signet serve --config FILE` or `signet dev`", where)
	case errors.Is(e.Err, fs.ErrPermission):
		return fmt.Errorf("you may not open %s; run this as the user the server runs as", where)
	case errors.Is(e.Err, context.DeadlineExceeded):
		return fmt.Errorf("%s gave no answer in time, and the request may have been carried out; check that, then try again", where)
	}
	return fmt.Errorf("calling %s: %w", where, e.Err)
}

// explainRefusal keeps the message, unless it can name a command.
func explainRefusal(e *client.Error, message string) error {
	explained := *e
	explained.Message = message
	switch {
	case e.Code == api.CodeNotFound || e.Code == api.CodeExists:
		path, _, _ := strings.Cut(strings.TrimPrefix(e.Target.URL, "/v1/"), "?")
		if message := nameRecord(e, strings.Split(path, "/")); message != "" {
			explained.Message = message
		}
	case e.Status == http.StatusUnauthorized && e.Code != "" && !e.TokenSent:
		explained.Message = "the server wants a token of scope signet:admin, or a narrower one; give one with --admin-token-file or SIGNET_ADMIN_TOKEN"
	case e.Status == http.StatusInternalServerError && e.Code != "":
		explained.Message += ": " + e.RequestID
	}
	if e.Code == api.CodeInvalid && e.Target.Method != http.MethodPost && strings.Contains(e.Target.URL, "?") {
		return cli.Usagef("%w", &explained) // flags that select records make up the query
	}
	return &explained
}

// nameRecord names the record that is missing or exists, with the command that lists such records. path is that
// of the request, in parts. It returns "" if the message of the server is better.
func nameRecord(e *client.Error, path []string) string {
	noun, id := strings.TrimSuffix(path[0], "s"), "id"
	if noun == "user" {
		id = "name"
	}
	switch {
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
	return ""
}

func unescape(segment string) string {
	s, err := url.PathUnescape(segment)
	if err != nil {
		return segment
	}
	return s
}
