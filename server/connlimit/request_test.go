package connlimit

import (
	"errors"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"signet/server/edge"
)

// starts has the connection send the header of a request, and returns the request's body as the handler
// would read it.
func starts(c *Limiter, h *limitedConn, body io.Reader) *pendingBody {
	c.changed(h, http.StateActive)
	return &pendingBody{ReadCloser: io.NopCloser(body), connections: c, conn: h}
}

// A body that is still arriving makes room, the oldest first; a request that is whole does not.
func TestUnfinishedBodiesMakeRoom(t *testing.T) {
	for _, row := range []struct{ name, one, other string }{
		{"from one network", "192.0.2.1", "192.0.2.9"},
		{"from many networks", "192.0.2.1", "192.0.3.1"},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := newConnections(Limits{Total: 3})
			first, h1 := come(c, row.one, false)
			second, h2 := come(c, row.one, false)
			third, h3 := come(c, row.one, false)
			starts(c, h2, nil)
			starts(c, h1, nil)
			if _, err := io.ReadAll(starts(c, h3, strings.NewReader("a=b"))); err != nil {
				t.Fatal(err)
			}
			if _, h := come(c, row.other, false); h == nil || !second.closed.Load() || first.closed.Load() || third.closed.Load() {
				t.Errorf("fourth: admitted %v; closed %v, %v, %v, want the second to have made room", h != nil, first.closed.Load(), second.closed.Load(), third.closed.Load())
			}
			_, fifth := come(c, row.other, true)
			if fifth == nil || !first.closed.Load() {
				t.Error("fifth: want the first to have made room")
			}
			if got := shedOf(t, c, "unfinished", "all"); got != 2 {
				t.Errorf("the metric has %d, want 2", got)
			}
		})
	}
}

// Bytes that trickle do not make a connection young again.
func TestTricklingBodiesMakeRoom(t *testing.T) {
	c := newConnections(Limits{Total: 2})
	slow, h1 := come(c, "192.0.2.1", false)
	reader, writer := io.Pipe()
	defer writer.Close()
	body := starts(c, h1, reader)
	other, h2 := come(c, "192.0.2.2", false)
	starts(c, h2, nil)
	go writer.Write([]byte("a"))
	if _, err := body.Read(make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	if _, h := come(c, "192.0.2.3", false); h == nil || !slow.closed.Load() || other.closed.Load() {
		t.Errorf("admitted %v; closed %v and %v, want the older one to have made room", h != nil, slow.closed.Load(), other.closed.Load())
	}
	writer.CloseWithError(errors.New("use of closed network connection"))
	defer func() {
		if p := recover(); p != http.ErrAbortHandler {
			t.Errorf("reading on: got %v, want the handler to end", p)
		}
	}()
	body.Read(make([]byte, 1))
}

// While bodies hold most places, they go before connections that have not sent a header yet.
func TestBodiesGoBeforeNewcomers(t *testing.T) {
	c := newConnections(Limits{Total: 4})
	newcomer, _ := come(c, "192.0.2.1", false)
	for range 3 {
		_, h := come(c, "192.0.2.2", false)
		starts(c, h, nil)
	}
	for range 20 {
		_, h := come(c, "192.0.2.2", false)
		starts(c, h, nil)
	}
	if newcomer.closed.Load() {
		t.Error("a connection that was about to ask was displaced by bodies that do not come")
	}
}

// Requests that wait never hold all places, and what is refused for that was not carried out.
func TestSomePlacesAreKept(t *testing.T) {
	c := newConnections(Limits{Total: 16, PerNetwork: 8, KeepSome: true})
	served := 0
	handler := c.whenWhole(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		err := edge.Refusal(r)
		if err == nil {
			_, err = io.ReadAll(r.Body)
		}
		if err != nil {
			refused, _ := errors.AsType[*edge.Error](err)
			w.WriteHeader(refused.Status)
			return
		}
		served++
	}), func(r *http.Request) bool { return r.URL.Path == "/healthz" })
	ask := func(h *limitedConn, method, path, body string) int {
		c.changed(h, http.StateActive)
		web := &http.Server{}
		c.Bound(nil, web)
		r := httptest.NewRequest(method, path, strings.NewReader(body))
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, r.WithContext(web.ConnContext(r.Context(), h)))
		return w.Code
	}
	var last *limitedConn
	for i := range 8 {
		_, h := come(c, "192.0.2.1", false)
		want := http.StatusOK
		if i == 7 { // an eighth of the network's share
			want = http.StatusServiceUnavailable
		}
		if got := ask(h, "POST", "/token", "a=b"); got != want {
			t.Errorf("request %d of a network: got %d, want %d", i+1, got, want)
		}
		last = h
	}
	if got := ask(last, "GET", "/healthz", ""); got != http.StatusOK {
		t.Errorf("GET in the place that is kept: got %d", got)
	}
	if _, h := come(c, "192.0.2.1", false); h == nil {
		t.Error("the answer of a light request holds its place")
	}
	if served != 8 || shedOf(t, c, "request", "network") != 1 {
		t.Errorf("%d requests were carried out, %d refused, want 8 and 1", served, shedOf(t, c, "request", "network"))
	}
}

// Over random sequences: no connection is closed while its request is under way, and an idle or unfinished
// one is found for every newcomer as long as there is one.
func TestNobodyIsCutOff(t *testing.T) {
	for seed := range uint64(200) {
		random := rand.New(rand.NewPCG(seed, 1))
		c := newConnections(Limits{Total: 6, PerNetwork: 4, KeepSome: true})
		under := map[*limitedConn]*fakeConn{}
		var all []*limitedConn
		fakes := map[*limitedConn]*fakeConn{}
		for range 100 {
			if len(all) == 0 || random.IntN(3) == 0 {
				from := []string{"192.0.2.1", "192.0.3.1", "127.0.0.1"}[random.IntN(3)]
				_, idle := c.count()
				f, h := come(c, from, false)
				if h == nil && idle == c.all.open && idle > 0 {
					t.Fatalf("seed %d: turned away, and all others are idle", seed)
				}
				if h != nil {
					all, fakes[h] = append(all, h), f
				}
				continue
			}
			h := all[random.IntN(len(all))]
			switch random.IntN(4) {
			case 0:
				delete(under, h)
				c.changed(h, http.StateActive)
			case 1:
				if under[h] == nil && c.begin(h) == nil {
					under[h] = fakes[h]
				}
			case 2:
				delete(under, h)
				c.changed(h, http.StateIdle)
			case 3:
				if under[h] == nil {
					h.Close()
				}
			}
			for _, f := range under {
				if f.closed.Load() {
					t.Fatalf("seed %d: a request that was under way was cut off", seed)
				}
			}
		}
	}
}
