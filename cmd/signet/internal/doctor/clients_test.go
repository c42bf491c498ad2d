package doctor

import (
	"path/filepath"
	"strings"
	"testing"

	"signet/config"
	"signet/store"
	"signet/store/bolt"
)

func TestDoctorNamesAdminClients(t *testing.T) {
	s, err := bolt.Open(filepath.Join(t.TempDir(), "signet.db"), bolt.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, c := range []store.Client{
		{ID: "all", Grants: []string{"client_credentials"}, Scopes: []string{"signet:admin"}},
		{ID: "both", Grants: []string{"client_credentials"}, Scopes: []string{"orders:read", "signet:users"}},
		{ID: "narrow", Grants: []string{"client_credentials"}, Scopes: []string{"signet:metrics"}},
		{ID: "plain", Grants: []string{"client_credentials"}, Scopes: []string{"orders:read"}, Audiences: []string{"https://orders.example.com"}},
		{ID: "shop", Grants: []string{"password"}, Audiences: []string{"https://orders.example.com"}},
		{ID: "spa", Public: true, Grants: []string{"password"}, Origins: []string{"https://app.example.com"}},
		{ID: "app", Public: true, Grants: []string{"authorization_code"}, Origins: []string{"https://app.example.com"}, RedirectURIs: []string{"https://app.example.com/"}},
		{ID: "web", Grants: []string{"password"}, Audiences: []string{"https://orders.example.com", "https://auth.example.com"}},
	} {
		if err := s.CreateClient(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	d := &doctor{}
	d.examineAdminClients(t.Context(), s, config.Config{Issuer: "https://auth.example.com"})
	var got []string
	for _, f := range d.list {
		got = append(got, f.State+" "+f.Detail)
	}
	want := []string{"warning all has the scope signet:admin", "warning both has scopes of the admin API beside others",
		"warning with the grant password, whatever runs in the pages of spa reads", "ok /userinfo refuses the tokens of shop,"}
	if len(got) != len(want) {
		t.Fatalf("got %q", got)
	}
	for i, begin := range want {
		if !strings.HasPrefix(strings.Replace(got[i], "shop, which", "shop,", 1), begin) {
			t.Errorf("finding %d: got %q, want %q", i, got[i], begin)
		}
	}
}
