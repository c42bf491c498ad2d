package e2e

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signet/keys/masterkey"
	"signet/store"
	"signet/store/redis/redistest"
	"signet/store/seal"
)

// readExport returns the first line of an export and its records.
func readExport(t *testing.T, path string) (header []byte, records []store.Record) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.SplitAfter(data, []byte("\n"))
	for _, line := range lines[1 : len(lines)-2] { // without the trailer and what is behind its newline
		var r store.Record
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatal(err)
		}
		records = append(records, r)
	}
	return lines[0], records
}

// editExport changes the records of an export as somebody could who has the master key, or as an export that was made
// beside running servers has them.
func editExport(t *testing.T, config, path string, change func(*store.Record)) {
	t.Helper()
	header, records := readExport(t, path)
	var out bytes.Buffer
	lines := json.NewEncoder(&out)
	lines.SetEscapeHTML(false)
	out.Write(header)
	counts := map[string]int64{}
	for _, r := range records {
		change(&r)
		if err := lines.Encode(r); err != nil {
			t.Fatal(err)
		}
		for kind, is := range map[string]bool{"clients": r.Client != nil, "users": r.User != nil, "sessions": r.Session != nil, "revoked_tokens": r.RevokedToken != nil,
			"spent_assertions": r.UsedAssertion != nil, "losses": r.Loss != nil, "events": r.Event != nil} {
			if is {
				counts[kind]++
			}
		}
	}
	digest, mac := sha256.Sum256(out.Bytes()), seal.New(masterKeysOf(t, filepath.Dir(config))).Hash(seal.Archive)
	mac.Write(out.Bytes())
	if err := lines.Encode(map[string]any{"counts": counts, "sha256": hex.EncodeToString(digest[:]), "mac": hex.EncodeToString(mac.Sum(nil))}); err != nil {
		t.Fatal(err)
	}
	write(t, path, out.String())
}

// masterKeysOf reads the master key of an install.
func masterKeysOf(t *testing.T, dir string) []masterkey.Key {
	t.Helper()
	master, err := masterkey.ParseList(strings.TrimSpace(readFile(t, filepath.Join(dir, "master.key"))))
	if err != nil {
		t.Fatal(err)
	}
	return master
}

// TestArchiveWithLaterEpochs: sessions of an archive that are in a later epoch than their user or client in it are
// neither alive after an import or a restore nor after the next sign-out.
func TestArchiveWithLaterEpochs(t *testing.T) {
	t.Parallel()
	dir, config := install(t, "")
	p, address := startServe(t, config)
	p.demo.AdminSocket = filepath.Join(dir, "admin.sock")
	app := movingApp{t, address, p.createClient("web", "--introspect")}
	signet(t, movingPassword+"\n", "user", "create", "--config", config, "--username", "ada", "--password-stdin")
	_, ofUser := app.login()
	_, ofClient := app.login()
	access, good := app.login()
	p.stop()
	archive := filepath.Join(t.TempDir(), "signet.ndjson")
	signet(t, "", "export", "--config", config, archive)
	sessions := 0
	editExport(t, config, archive, func(r *store.Record) {
		if r.Session == nil {
			return
		}
		sessions++
		switch id := r.Session.ID.String(); {
		case id == claimsOf(t, access)["sid"]:
		case sessions%2 == 0:
			r.Session.UserEpoch = 1
		default:
			r.Session.ClientEpoch = 1
		}
	})
	if sessions != 3 {
		t.Fatalf("the archive has %d sessions", sessions)
	}
	for name, row := range map[string]struct{ store, command string }{
		"import into bolt": {"bolt:other.db", "import"}, "import into Redis": {"redis", "import"}, "restore": {"bolt:other.db", "restore"},
	} {
		t.Run(name, func(t *testing.T) {
			url := row.store
			if url == "redis" {
				url = "redis://" + redistest.Start(t, redistest.Config{Persist: true}).Addr()
			}
			config := copyInstall(t, dir, "signet.yaml", "master.key")
			setStore(t, config, url)
			_, stderr, code := runSignet(t, "", row.command, "--config", config, archive)
			if code != exitDone || row.command == "import" && !strings.Contains(stderr, "sessions left out, because they began after a sign-out that the archive does not have: 2") {
				t.Fatalf("%s: got %d %q", row.command, code, stderr)
			}
			_, address := startServe(t, config)
			app := movingApp{t, address, app.secret}
			_, next := app.token("grant_type", "refresh_token", "refresh_token", good)
			// Each of these raises an epoch to that of a session. To present that one before would end it.
			signet(t, "", "client", "disable", "--config", config, "web")
			signet(t, "", "client", "enable", "--config", config, "web")
			app.wantRefused("a session in a later epoch of its client, after the next sign-out", ofClient)
			signet(t, movingPassword+" 2\n", "user", "set-password", "--config", config, "--password-stdin", "ada")
			signet(t, movingPassword+"\n", "user", "set-password", "--config", config, "--password-stdin", "ada")
			app.wantRefused("a session in a later epoch of its user, after the next sign-out", ofUser)
			app.wantRefused("the good session after the sign-out", next)
			app.login()
		})
	}
}
