package authorize

import (
	"crypto/rand"
	"maps"
	"net/http"
	"time"

	"signet/server/edge"
	"signet/store"
)

const (
	// requestURIPrefix begins the request URIs that are given out (RFC 9126 §2.2).
	requestURIPrefix = "urn:ietf:params:oauth:request_uri:"
	// pushedLife is how long a browser may take to come with the request URI.
	pushedLife = time.Minute
)

// PARParameters are those of POST /par: those of the request and of the client's authentication.
var PARParameters = func() edge.Parameters {
	all := edge.Parameters{"client_secret": true, "client_assertion": true, "client_assertion_type": true}
	maps.Copy(all, parameters)
	return all
}()

// pushedRequest is the content of a request URI.
type pushedRequest struct {
	ID      store.AssertionID `json:"i"` // random
	Query   string            `json:"q,omitempty"`
	Expires int64             `json:"e"` // in seconds since 1970
}

// pushResponse is the response of RFC 9126 §2.2.
type pushResponse struct {
	RequestURI string `json:"request_uri"`
	ExpiresIn  int64  `json:"expires_in"` // seconds
}

// Push is POST /par (RFC 9126): a client sends its request beforehand, authenticated, and gets a URI that stands for it. The
// request is checked as at /authorize; its errors go to the client.
func (h *Handler) Push(r *edge.Request, client *store.Client) (edge.Response, error) {
	if r.Form.Get("request_uri") != "" {
		return edge.Response{}, edge.InvalidRequest("request_uri cannot be pushed: send the parameters")
	}
	form, err := edge.ReadQuery(r.Form.Encode(), parameters) // without what authenticates the client
	if err != nil {
		return edge.Response{}, err
	}
	form = form.With("client_id", client.ID)
	p := &pushedRequest{Query: form.Encode(), Expires: h.cfg.Now().Add(pushedLife).Unix()}
	rand.Read(p.ID[:])
	req := &request{handler: h, form: form, pushed: p, maxAge: -1}
	err = req.check(r, nil)
	r.RenderError = nil
	r.SetClient(client.ID, !client.Public, client.Origins)
	if err != nil {
		return edge.Response{}, err
	}
	uri := h.pushed.SealJSON(p, client.ID)
	if len(uri) > maxRequestURI {
		return edge.Response{}, edge.InvalidRequest("the request is too large: its parameters may have some 5,000 bytes")
	}
	return edge.Response{Status: http.StatusCreated, Body: pushResponse{uri, int64(pushedLife / time.Second)}}, nil
}

// open takes the request out of its request URI.
func (req *request) open(r *edge.Request) error {
	var p pushedRequest
	if !req.handler.pushed.OpenJSON(req.form.Get("request_uri"), req.form.Get("client_id"), &p) || r.Begun.Unix() >= p.Expires {
		return errUsedRequestURI
	}
	form, err := edge.ReadQuery(p.Query, parameters)
	if err != nil {
		return err
	}
	p.Query = ""
	req.form, req.pushed = form, &p
	return nil
}
