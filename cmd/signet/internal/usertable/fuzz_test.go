package usertable_test

import (
	"bytes"
	"encoding/json"
	"testing"

	"signet/cmd/signet/internal/usertable"
	"signet/server/admin/api"
)

// fuzz reads what a format may contain: every row is an error or a line that decodes, and reading ends.
func fuzz(f *testing.F, format string, files ...string) {
	config := string(file(f, "firebase-hash-config.txt"))
	for _, name := range files {
		f.Add(file(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := usertable.New(bytes.NewReader(data), usertable.Options{Format: format, HashConfig: config, Now: now,
			Claims: []usertable.Claim{{Name: "c", Field: "email"}, {Name: "d", Field: "a.b.0", JSON: true}}})
		if err != nil {
			return
		}
		for rows := 0; ; rows++ {
			row, err := r.Next()
			if err != nil {
				return
			}
			if rows > len(data) {
				t.Fatal("more rows than bytes")
			}
			if row.Err != nil {
				continue
			}
			var u api.UserRecord
			if bytes.IndexByte(row.Record, '\n') >= 0 || len(row.Record) > 64<<10 {
				t.Fatalf("no line: %q", row.Record)
			}
			if format == "signet" { // the server reads it
				if !json.Valid(row.Record) {
					t.Fatalf("no JSON: %q", row.Record)
				}
				continue
			}
			if err := json.Unmarshal(row.Record, &u); err != nil || u.Username == "" || u.Username != row.Username {
				t.Fatalf("%q: %v", row.Record, err)
			}
		}
	})
}

func FuzzSignet(f *testing.F)   { fuzz(f, "signet", "signet.ndjson", "signet.json") }
func FuzzCSV(f *testing.F)      { fuzz(f, "csv", "table.csv", "supabase.csv") }
func FuzzASPNET(f *testing.F)   { fuzz(f, "aspnet", "aspnet.csv") }
func FuzzAuth0(f *testing.F)    { fuzz(f, "auth0", "auth0.ndjson") }
func FuzzDjango(f *testing.F)   { fuzz(f, "django", "django.json", "django.jsonl") }
func FuzzFirebase(f *testing.F) { fuzz(f, "firebase", "firebase.json") }
func FuzzKeycloak(f *testing.F) { fuzz(f, "keycloak", "keycloak.json") }
func FuzzSupabase(f *testing.F) { fuzz(f, "supabase", "supabase.csv") }
func FuzzWordPress(f *testing.F) {
	fuzz(f, "wordpress", "wordpress.csv", "wordpress.sql", "wordpress-roles.sql")
}
