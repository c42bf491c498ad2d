//go:build pkcs11 && cgo

package e2e

import (
	"net/http"
	"path/filepath"
	"testing"
)

// TestRestoreWithHSM: the keyring of the backup opens with its token, and the next key is made there.
func TestRestoreWithHSM(t *testing.T) {
	module, pinFile, _ := softHSM(t)
	dir := shortDir(t)
	configFile := filepath.Join(dir, "signet.yaml")
	signet(t, "", "init", "--dir", dir, "--issuer", "https://auth.example.com", "--listen", "127.0.0.1:0",
		"--hsm-module", module, "--hsm-token", "signet", "--hsm-pin-file", pinFile)
	appendTo(t, configFile, "\nshutdown: {delay: 0s}\nlog: {format: text}\n")
	p, address := startServe(t, configFile)
	app := newHSMApp(t, configFile, address)
	before := app.wants("login", app.user, http.StatusOK)
	backup := filepath.Join(dir, "backup.db")
	signet(t, "", "backup", "--config", configFile, backup)
	p.stop()
	signet(t, "", "restore", "--config", configFile, backup)
	_, app.address = startServe(t, configFile)
	after := app.wants("refresh after the restore", nil, http.StatusOK)
	if after == before {
		t.Errorf("key %s signs still", after)
	}
	for kid, held := range heldKeys(t, configFile) {
		if held != "hsm" {
			t.Errorf("key %s is held by %s, want hsm", kid, held)
		}
	}
}
