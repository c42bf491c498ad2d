package doctor

import (
	"net/netip"
	"path/filepath"
	"strings"
	"testing"

	"signet/config"
	"signet/store"
	"signet/store/bolt"
)

// An app at an address that is not called is named, before its users stay signed in there.
func TestDoctorNamesAppsThatAreNotInformed(t *testing.T) {
	s, err := bolt.Open(filepath.Join(t.TempDir(), "signet.db"), bolt.Options{Create: true})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for id, uri := range map[string]string{"inside": "https://10.1.2.3/logout", "other": "https://192.168.7.1/logout", "outside": "https://93.184.215.14/logout", "none": ""} {
		if err := s.CreateClient(t.Context(), store.Client{ID: id, BackchannelLogoutURI: uri}); err != nil {
			t.Fatal(err)
		}
	}
	d := &doctor{}
	cfg := config.Default()
	cfg.Issuer, cfg.BackChannelLogout.Networks = "https://auth.example.com", []netip.Prefix{netip.MustParsePrefix("192.168.0.0/16")}
	d.examineAdminClients(t.Context(), s, cfg)
	if len(d.list) != 1 || d.list[0].State != stateWarning || !strings.Contains(d.list[0].Detail, "the client inside is not informed") ||
		!strings.Contains(d.list[0].Detail, "name that network in backchannel_logout.networks") {
		t.Errorf("got %+v", d.list)
	}
}
