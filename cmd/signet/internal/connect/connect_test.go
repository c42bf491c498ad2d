package connect

import (
	"os"
	"path/filepath"
	"testing"

	"signet/cmd/signet/internal/cli"
)

// TestPeerRule is the table of who may be at the other end of the admin socket.
func TestPeerRule(t *testing.T) {
	for _, test := range []struct {
		name string
		rule peerRule
		peer uint32
		good bool
	}{
		{"root", peerRule{caller: 1000, owner: 1000}, 0, true},
		{"the caller", peerRule{caller: 1000, owner: 1001}, 1000, true},
		{"a stranger in their own directory", peerRule{caller: 1000, owner: 1001}, 1001, false},
		{"the owner of a directory that was named", peerRule{caller: 1000, owner: 998, named: true}, 998, true},
		{"another than the owner", peerRule{caller: 1000, owner: 998, named: true}, 1001, false},
		{"the variable names it", peerRule{caller: 1000, owner: 998, named: true, extra: "1001"}, 1001, true},
		{"the variable names another", peerRule{caller: 1000, owner: 998, named: true, extra: "1002"}, 1001, false},
		{"the variable names nobody", peerRule{caller: 1000, owner: 998, named: true, extra: "no such user"}, 1001, false},
		{"root does not obey a stranger's directory", peerRule{caller: 0, owner: 1001}, 1001, false},
	} {
		if err := test.rule.check("admin.sock", test.peer); (err == nil) != test.good {
			t.Errorf("%s: got %v, want good: %v", test.name, err, test.good)
		}
	}
}

// TestTokenFile reads a token that an editor has saved.
func TestTokenFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte("\xef\xbb\xbftoken\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	app := &cli.App{Connection: cli.Connection{TokenFile: path}}
	if got, err := readToken(app); got != "token" || err != nil {
		t.Errorf("got %q and error %v", got, err)
	}
}
