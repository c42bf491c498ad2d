package keys

import (
	"crypto"
	"encoding/base64"
	"encoding/json"
	"slices"
	"testing"
	"time"

	gojose "github.com/go-jose/go-jose/v4"

	"signet/keys/jose"
	"signet/keys/keystest"
	"signet/keys/timetable"
)

// go-jose reads our key set, agrees on every thumbprint and verifies our tokens with it.
func TestKeySetAgainstGoJose(t *testing.T) {
	m := everyAlgorithm(t)
	served, err := m.JWKS()
	if err != nil {
		t.Fatal(err)
	}
	var set gojose.JSONWebKeySet
	if err := json.Unmarshal(served.Body, &set); err != nil {
		t.Fatalf("go-jose: %v", err)
	}
	if len(set.Keys) != 2*len(jose.Algorithms) {
		t.Fatalf("got %d keys, want %d", len(set.Keys), 2*len(jose.Algorithms))
	}
	for _, k := range set.Keys {
		sum, err := k.Thumbprint(crypto.SHA256)
		if err != nil {
			t.Fatal(err)
		}
		if got := base64.RawURLEncoding.EncodeToString(sum); got != k.KeyID {
			t.Errorf("kid: got %s, want %s", k.KeyID, got)
		}
		if !k.IsPublic() || !k.Valid() || k.Use != "sig" || !slices.Contains(jose.Algorithms, k.Algorithm) {
			t.Errorf("key %s: public %v, valid %v, use %q, alg %q", k.KeyID, k.IsPublic(), k.Valid(), k.Use, k.Algorithm)
		}
	}
	for _, alg := range jose.Algorithms {
		token, kid := mustSign(t, m, alg)
		jws, err := gojose.ParseSignedCompact(token, []gojose.SignatureAlgorithm{gojose.SignatureAlgorithm(alg)})
		if err != nil {
			t.Fatalf("%s: go-jose: %v", alg, err)
		}
		if header := jws.Signatures[0].Protected; header.KeyID != kid || header.Algorithm != alg || header.ExtraHeaders["typ"] != "at+jwt" {
			t.Errorf("%s: header: got %+v", alg, header)
		}
		if _, err := jws.Verify(set.Key(kid)[0].Key); err != nil {
			t.Errorf("%s: go-jose: %v", alg, err)
		}
	}
}

func TestKeySetHoldsPublicMembersOnly(t *testing.T) {
	served, err := everyAlgorithm(t).JWKS()
	if err != nil {
		t.Fatal(err)
	}
	var set struct {
		Keys []map[string]string `json:"keys"`
	}
	if err := json.Unmarshal(served.Body, &set); err != nil {
		t.Fatal(err)
	}
	want := map[string][]string{
		"EC":  {"alg", "crv", "kid", "kty", "use", "x", "y"},
		"RSA": {"alg", "e", "kid", "kty", "n", "use"},
		"OKP": {"alg", "crv", "kid", "kty", "use", "x"},
	}
	for _, k := range set.Keys {
		var got []string
		for name, value := range k {
			got = append(got, name)
			if value == "" {
				t.Errorf("%s of key %s is empty", name, k["kid"])
			}
		}
		if slices.Sort(got); !slices.Equal(got, want[k["kty"]]) {
			t.Errorf("members of a %s key: got %v, want %v", k["kty"], got, want[k["kty"]])
		}
	}
}

func TestKeySetOrderAgeAndETag(t *testing.T) {
	s, c := &keystest.Storage{}, newClock()
	cfg := testConfig(s, c)
	cfg.Algorithms = []string{jose.ES256, jose.EdDSA}
	mustOpen(t, cfg)
	cfg.Algorithms = []string{jose.EdDSA, jose.ES256} // the primary is the configuration's, not the keyring's
	m := mustOpen(t, cfg)
	served := func() JWKS {
		t.Helper()
		mustStep(t, m)
		set, err := m.JWKS()
		if err != nil {
			t.Fatal(err)
		}
		_, primary := mustSign(t, m, "")
		_, second := mustSign(t, m, jose.ES256)
		if kids := setKIDs(t, set); kids[0] != primary || kids[1] != second {
			t.Errorf("order: got %v, want %s, %s first", kids, primary, second)
		}
		return set
	}
	first := served()
	if first.MaxAge != 5*time.Minute {
		t.Errorf("max age: got %v, want 5m", first.MaxAge)
	}
	if again := served(); again.ETag != first.ETag || &again.Body[0] != &first.Body[0] {
		t.Error("the same set was rendered twice")
	}
	change := testStart.Add(cfg.withTimetable().Active)
	for _, left := range []time.Duration{5*time.Minute + 1, 90*time.Second + 5, 999 * time.Millisecond} {
		c.advance(change.Add(-left).Sub(c.now()))
		if got, want := served().MaxAge, min(left.Truncate(time.Second), 5*time.Minute); got != want {
			t.Errorf("max age %v before a change: got %v, want %v", left, got, want)
		}
	}
	c.advance(time.Second)
	if after := served(); after.ETag == first.ETag {
		t.Error("the set changed and its ETag did not")
	}
}

func (c Config) withTimetable() timetable.Timetable {
	c, _ = c.withDefaults()
	return c.Timetable
}
