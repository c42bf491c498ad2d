package connlimit

import (
	"context"
	"errors"
	"io"
	"net/http"

	"signet/server/edge"
)

// whenWhole lets a request count as under way when all of it has come: at once where it has no body, else
// with the end of the body. Until then its connection may have to make room. A request whose connection
// has made room goes no further.
func (c *Limiter) whenWhole(next http.Handler, light func(*http.Request) bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h, _ := r.Context().Value(connKey{}).(*limitedConn)
		switch {
		case h == nil:
		case r.ContentLength != 0:
			// A copy: net/http looks at the body of its own request when it ends the answer.
			copied := *r
			copied.Body = &pendingBody{ReadCloser: r.Body, connections: c, conn: h}
			r = &copied
		case light(r):
			c.markWhole(h)
		default:
			if err := c.begin(h); errors.Is(err, errMadeRoom) {
				panic(http.ErrAbortHandler)
			} else if err != nil {
				r = edge.WithRefusal(r, err)
			}
		}
		next.ServeHTTP(w, r)
	})
}

// pendingBody is a request's body that counts its connection as under way from its end on.
type pendingBody struct {
	io.ReadCloser
	connections *Limiter
	conn        *limitedConn
	ended       error // what Read returns from the end on
}

// Read implements io.Reader. At the end it returns errNoPlace instead of io.EOF where as many requests as
// may be are under way. Where the connection has made room it ends the handler.
func (b *pendingBody) Read(p []byte) (int, error) {
	if b.ended != nil {
		return 0, b.ended
	}
	n, err := b.ReadCloser.Read(p)
	switch {
	case errors.Is(err, io.EOF):
		if err = b.connections.begin(b.conn); err == nil {
			err = io.EOF
		}
		b.ended = err
	case err != nil && b.connections.left(b.conn):
		err = errMadeRoom
	}
	if errors.Is(err, errMadeRoom) {
		panic(http.ErrAbortHandler)
	}
	return n, err
}

var (
	errMadeRoom = errors.New("the connection has made room for another")
	errNoPlace  = edge.Unavailable(errors.New("as many requests as may be are under way; raise max_connections, or look for what holds them up"))
)

// begin counts the request of the connection as under way until it is idle again. Until then the
// connection is not cut off.
func (c *Limiter) begin(h *limitedConn) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case h.places == nil:
		return errMadeRoom
	case h.busy:
		return nil
	}
	for _, p := range h.places {
		if p.group.underWay >= p.group.mostUnderWay {
			c.shed.WithLabelValues("request", p.group.name).Inc()
			return errNoPlace
		}
	}
	for _, p := range h.places {
		p.group.underWay++
	}
	h.busy = true
	h.unmarkIdle()
	return nil
}

// end is the end of what begin began. It needs mu.
func (h *limitedConn) end() {
	if h.busy {
		h.busy = false
		for _, p := range h.places {
			p.group.underWay--
		}
	}
}

// markWhole is for a whole request that needs no place: its connection goes no sooner than idle ones.
func (c *Limiter) markWhole(h *limitedConn) {
	c.mu.Lock()
	defer c.mu.Unlock()
	h.receiving = false
	h.markIdle()
}

// Begin is begin for a request that is carried out while its body comes, such as an import.
func Begin(ctx context.Context) {
	if h, _ := ctx.Value(connKey{}).(*limitedConn); h != nil && h.owner.begin(h) != nil {
		panic(http.ErrAbortHandler)
	}
}

// idleKind is what metrics call a connection that makes room.
func (h *limitedConn) idleKind() string {
	if h.receiving {
		return "unfinished"
	}
	return "idle"
}

func (c *Limiter) left(h *limitedConn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return h.places == nil
}
