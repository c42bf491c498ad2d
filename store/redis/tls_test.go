package redis

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"signet/store"
	"signet/store/redis/redistest"
	"signet/store/redis/redistest/network"
)

// TestTLS: with TLS in the configuration there is TLS or nothing.
func TestTLS(t *testing.T) {
	t.Parallel()
	files := redistest.Certificates(t)
	trusting := func(pair redistest.Pair) *tls.Config { return files.Client(pair) }
	for _, c := range []struct {
		name   string
		server redistest.TLS
		client *tls.Config
		works  bool
	}{
		{"good", redistest.TLS{}, trusting(redistest.Pair{}), true},
		{"good on both sides", redistest.TLS{ClientCerts: true}, trusting(files.ClientPair), true},
		{"no client certificate", redistest.TLS{ClientCerts: true}, trusting(redistest.Pair{}), false},
		{"client certificate of another CA", redistest.TLS{ClientCerts: true}, trusting(files.Stranger), false},
		{"expired", redistest.TLS{Pair: files.Expired}, trusting(redistest.Pair{}), false},
		{"wrong name", redistest.TLS{Pair: files.WrongName}, trusting(redistest.Pair{}), false},
		{"another CA", redistest.TLS{Pair: files.Stranger}, trusting(redistest.Pair{}), false},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.server.Files = files
			server := redistest.Start(t, redistest.Config{TLS: &c.server, Password: canary})
			wire := newTap(t, server.Addr())
			cfg := rest(Config{Addrs: []string{wire.addr}, TLS: c.client, Password: secret, Timeout: 5 * time.Second})
			s, err := Open(t.Context(), cfg)
			if err == nil {
				defer s.Close()
			}
			if c.works {
				if err != nil {
					t.Fatalf("Open: %v", err)
				}
				x := newSubject()
				x.populate(t, s)
				if _, _, o, err := s.Rotate(t.Context(), x.rotation(0)); o != store.Rotated || err != nil {
					t.Errorf("Rotate: got %v and error %v", o, err)
				}
			} else if !isUnavailable(err) {
				t.Errorf("Open: got error %v, want ErrUnavailable", err)
			}
			wire.onlyTLS(t)
		})
	}
	t.Run("a server without TLS", func(t *testing.T) {
		t.Parallel()
		server := redistest.Start(t, redistest.Config{Password: canary})
		wire := newTap(t, server.Addr())
		_, err := Open(t.Context(), rest(Config{Addrs: []string{wire.addr}, TLS: trusting(redistest.Pair{}), Password: secret}))
		if !isUnavailable(err) {
			t.Errorf("Open: got error %v, want ErrUnavailable", err)
		}
		wire.onlyTLS(t)
	})
}

// TestTLSGoesSilent: the certificate is fine and then nothing comes, also in the middle of a handshake.
func TestTLSGoesSilent(t *testing.T) {
	t.Parallel()
	files := redistest.Certificates(t)
	server := redistest.Start(t, redistest.Config{TLS: &redistest.TLS{Files: files}})
	proxy := network.NewProxy(t, server.Addr())
	x := newSubject()
	s := openPopulated(t, Config{Addrs: []string{proxy.Addr()}, TLS: files.Client(redistest.Pair{})}, x)
	proxy.Hold()
	inTime(t, s, x)
	if proxy.Counts().Held == 0 {
		t.Error("nothing was held back")
	}
	proxy.Heal()
	recovers(t, s)
}

// tap is a wire that keeps the first bytes of each connection.
type tap struct {
	addr string

	mu    sync.Mutex
	first [][]byte // guarded by mu
}

func newTap(t *testing.T, upstream string) *tap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &tap{addr: l.Addr().String()}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go w.serve(client, upstream)
		}
	}()
	return w
}

func (w *tap) serve(client net.Conn, upstream string) {
	defer client.Close()
	server, err := net.Dial("tcp", upstream)
	if err != nil {
		return
	}
	defer server.Close()
	head := make([]byte, 1)
	if _, err := io.ReadFull(client, head); err != nil {
		return
	}
	w.mu.Lock()
	w.first = append(w.first, head)
	w.mu.Unlock()
	go func() {
		_, _ = io.Copy(client, server)
		client.Close()
	}()
	_, err = server.Write(head)
	if _, more := io.Copy(server, client); errors.Join(err, more) != nil {
		return
	}
}

// onlyTLS: something came, and all of it began as a handshake does.
func (w *tap) onlyTLS(t *testing.T) {
	t.Helper()
	const handshake = 22 // the record type
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.first) == 0 {
		t.Error("nothing came over the wire")
	}
	for _, head := range w.first {
		if head[0] != handshake {
			t.Errorf("a connection began with %q, which is no TLS", head)
		}
	}
}
