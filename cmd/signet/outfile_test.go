package main

import (
	"os"
	"strings"
	"testing"
)

// TestDoctorOfDev: doctor and config check find what `signet dev` has made, and doctor names leftovers.
func TestDoctorOfDev(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	p := startDev(t, "signet-data")
	p.stop()
	if err := os.WriteFile(".copy.db.123456789", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, stderr, code := runSignet(t, "", "doctor")
	if code != 0 || !strings.Contains(stdout, "signet-data/signet.db opens") || !strings.Contains(stdout, "./signet-data, which `signet dev` has made") ||
		!strings.Contains(stdout, ".copy.db.123456789 is left over") {
		t.Errorf("doctor exits with %d\n%s%s", code, stdout, stderr)
	}
	if stdout, stderr, code := runSignet(t, "", "config", "check"); code != 0 || !strings.Contains(stdout, "the configuration is good") {
		t.Errorf("config check exits with %d\n%s%s", code, stdout, stderr)
	}
}

// TestCheckAudience compares aud as services must.
func TestCheckAudience(t *testing.T) {
	for claims, good := range map[string]bool{
		`{"aud":"https://api.example.com"}`:       true,
		`{"aud":["a","https://api.example.com"]}`: true,
		`{"aud":["a"]}`:                         false,
		`{"aud":"https://api.example.com/"}`:    false,
		`{"aud":"HTTPS://API.EXAMPLE.COM"}`:     false,
		`{"aud":[]}`:                            false,
		`{"aud":7}`:                             false,
		`{"aud":["https://api.example.com",7]}`: false,
		`{"AUD":"x"}`:                           false,
		`{}`:                                    false,
	} {
		if err := checkAudience([]byte(claims), "https://api.example.com"); (err == nil) != good {
			t.Errorf("%s: got %v, want good: %v", claims, err, good)
		}
	}
}
