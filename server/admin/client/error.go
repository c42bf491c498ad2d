package client

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"

	"signet/server/admin/api"
)

// Error is a refusal of the server.
type Error struct {
	Target    api.Target
	Status    int
	Code      string // one of package api's; empty where the answer is not one of the admin API
	Message   string // what to do
	RequestID string // names the request in the server's log
	TokenSent bool
}

func (e *Error) Error() string { return e.Message }

// refusal reads the body of an answer that is a refusal.
func (c *Client) refusal(t api.Target, resp *http.Response) *Error {
	e := &Error{Target: t, Status: resp.StatusCode, RequestID: resp.Header.Get("X-Request-Id"), TokenSent: c.Token != ""}
	var body api.Error
	data, _ := io.ReadAll(io.LimitReader(resp.Body, maxError)) // an answer that breaks off is no JSON
	if err := json.Unmarshal(data, &body); err != nil || body.Message == "" {
		e.Message = fmt.Sprintf("%s answered %s; is it the admin API of a signet server of this version?", c.Where, resp.Status)
		return e
	}
	e.Code, e.Message = body.Code, body.Message
	return e
}

// UnreachableError means that there was no answer. A request that changes something may have been carried out.
type UnreachableError struct {
	Client *Client
	Err    error
}

func (e *UnreachableError) Error() string {
	return fmt.Sprintf("calling %s: %v", e.Client.Where, e.Err)
}

func (e *UnreachableError) Unwrap() error { return e.Err }
