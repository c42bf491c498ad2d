package keys

import (
	"testing"

	"signet/keys/keystest"
	"signet/keys/privatekey"
)

func remoteConfig(s Storage, c *clock, v *keystest.Vault) Config {
	cfg := testConfig(s, c)
	cfg.Remote.Provider = v
	return cfg
}

// heldBy counts the manager's keys by where their private half is.
func heldBy(m *Manager) map[string]int {
	n := map[string]int{}
	for _, k := range m.Keys() {
		n[k.Held]++
	}
	return n
}

// mustVerify reports whether the manager takes the token.
func mustVerify(t testing.TB, m *Manager, token string) {
	t.Helper()
	var claims map[string]string
	if _, err := m.Verify(token, "at+jwt", &claims); err != nil {
		t.Errorf("Verify: %v", err)
	}
}

// referenceOf returns where a remote key is.
func referenceOf(t testing.TB, k *privatekey.Key) string {
	t.Helper()
	stored, err := k.Stored()
	if err != nil {
		t.Fatal(err)
	}
	return stored.Remote.Reference
}
