package e2e

import (
	"compress/gzip"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// testdata/format1 is a store as the version before sealed records has written it: with the public client
// web, the user ada and a session of hers, and the refresh token of that. All of it was made for this test.
//
// TestStoreOfFormat1: such a store is served as it is, sealed while it is served, and served then. Nobody is
// signed out and no password is lost.
func TestStoreOfFormat1(t *testing.T) {
	t.Parallel()
	dir := shortDir(t)
	zipped, err := os.Open("testdata/format1/signet.db.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer zipped.Close()
	unzipped, err := gzip.NewReader(zipped)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(unzipped)
	if err != nil {
		t.Fatal(err)
	}
	for name, content := range map[string]string{
		"signet.db": string(data), "master.key": readFile(t, "testdata/format1/master.key.txt"),
		"signet.yaml": "issuer: https://auth.example.com\nlisten: 127.0.0.1:0\nrefresh:\n  idle: 87600h\n  absolute: 87600h\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	environ := append(os.Environ(), "SIGNET_SHUTDOWN_DELAY=0s", "SIGNET_PASSWORD_ARGON2_MEMORY_KIB=7168", "SIGNET_PASSWORD_ARGON2_TIME=1")
	refresh := strings.TrimSpace(readFile(t, "testdata/format1/refresh_token.txt"))
	works := func(r *replica) {
		t.Helper()
		refresh = r.must("/token", url.Values{"grant_type": {"refresh_token"}, "refresh_token": {refresh}, "client_id": {"web"}})["refresh_token"].(string)
		r.must("/token", url.Values{"grant_type": {"password"}, "username": {"ada"}, "password": {"three green herons"}, "client_id": {"web"}})
	}
	r := startReplica(t, dir, environ)
	works(r)
	if !strings.Contains(r.stderr.String(), "unsealed store") {
		t.Errorf("no warning:\n%s", r.stderr)
	}
	r.admin("", "store", "seal")
	works(r)
	if code := r.stop(); code != exitDone {
		t.Fatalf("the server exited with %d", code)
	}
	r = startReplica(t, dir, environ)
	works(r)
	if strings.Contains(r.stderr.String(), "unsealed store") {
		t.Errorf("it is still called unsealed:\n%s", r.stderr)
	}
}
