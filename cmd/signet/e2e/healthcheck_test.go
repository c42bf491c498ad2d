package e2e

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
)

// ownAddress is an address of this machine that is not loopback: proxies are never used for loopback.
func ownAddress(t *testing.T) string {
	t.Helper()
	addrs, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range addrs {
		if n, ok := a.(*net.IPNet); ok && !n.IP.IsLoopback() && n.IP.To4() != nil {
			return n.IP.String()
		}
	}
	t.Skip("this machine has only loopback addresses")
	return ""
}

// TestHealthcheckUsesNoProxy: the server of the configuration is asked directly, and one that was
// named by --url through the proxy of the environment.
func TestHealthcheckUsesNoProxy(t *testing.T) {
	listener, err := net.Listen("tcp", net.JoinHostPort(ownAddress(t), "0"))
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	server.Listener.Close()
	server.Listener = listener
	server.Start()
	defer server.Close()
	var proxied atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		proxied.Add(1)
		w.WriteHeader(http.StatusBadGateway)
	}))
	defer proxy.Close()
	t.Setenv("HTTP_PROXY", proxy.URL)
	t.Setenv("http_proxy", proxy.URL)

	dir := t.TempDir()
	path := filepath.Join(dir, "signet.yaml")
	text := fmt.Sprintf("issuer: https://auth.example.com\nlisten: %q\ntls:\n  terminated_by_proxy: true\ntrusted_proxies: [10.0.0.1]\n", listener.Addr())
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, stderr, code := runSignet(t, "", "healthcheck", "--config", path); code != 0 || proxied.Load() != 0 {
		t.Errorf("healthcheck exits with %d, the proxy was asked %d times\n%s", code, proxied.Load(), stderr)
	}
	if _, _, code := runSignet(t, "", "healthcheck", "--url", server.URL); code != 1 || proxied.Load() == 0 {
		t.Errorf("healthcheck --url exits with %d, the proxy was asked %d times; want it to be used", code, proxied.Load())
	}
}
