package e2e

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// apacheModules is where Debian has them.
const apacheModules = "/usr/lib/apache2/modules"

// apacheConf is what a system has around the sites: one process, which ends with the test.
const apacheConf = `ServerRoot %[1]s
DefaultRuntimeDir %[1]s
PidFile %[1]s/pid
ServerName 127.0.0.1
ErrorLog %[1]s/error.log
LogLevel warn auth_openidc:info
LoadModule mpm_event_module %[2]s/mod_mpm_event.so
LoadModule authn_core_module %[2]s/mod_authn_core.so
LoadModule authz_core_module %[2]s/mod_authz_core.so
LoadModule authz_user_module %[2]s/mod_authz_user.so
LoadModule proxy_module %[2]s/mod_proxy.so
LoadModule proxy_http_module %[2]s/mod_proxy_http.so
LoadModule auth_openidc_module %[2]s/mod_auth_openidc.so
StartServers 1
`

// apacheSite is one site of testdata/apache.
type apacheSite struct{ url string }

// signOut is the address of the link to sign out.
func (s *apacheSite) signOut() string {
	return s.url + "/signet?logout=" + url.QueryEscape(s.url+"/signed-out")
}

// startApache serves a site for each of the clients.
func startApache(t testing.TB, p *process, clientIDs ...string) (sites []*apacheSite) {
	t.Helper()
	path, err := exec.LookPath("apache2")
	if err != nil {
		path = "/usr/sbin/apache2"
	}
	for _, file := range []string{path, apacheModules + "/mod_auth_openidc.so"} {
		if _, err := os.Stat(file); err != nil {
			needs(t, file, "apt-get install apache2 libapache2-mod-auth-openidc")
		}
	}
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<p>%s, with a token of %s</p>", r.Header.Get("OIDC_CLAIM_email"), r.Header.Get("OIDC_access_token"))
	}))
	t.Cleanup(page.Close)
	dir := shortDir(t)
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	conf := fmt.Sprintf(apacheConf, dir, apacheModules)
	if os.Getuid() == 0 {
		conf += "User www-data\nGroup www-data\n"
	}
	for _, id := range clientIDs {
		address := freeAddress(t)
		site := &apacheSite{"http://" + address}
		secret := p.createWebApp(id, site.url+"/signet", "--post-logout-uri", site.url+"/signed-out",
			"--backchannel-logout-uri", site.url+"/signet?logout=backchannel", "--ttl", "30s") // below OIDCRefreshAccessTokenBeforeExpiry
		secrets := fmt.Sprintf("OIDCClientSecret %s\nOIDCCryptoPassphrase %s\n", secret, rand.Text())
		if err := os.WriteFile(filepath.Join(dir, id+".secrets"), []byte(secrets), 0o600); err != nil {
			t.Fatal(err)
		}
		conf += "Listen " + address + "\n" + strings.NewReplacer("127.0.0.1:8080", strings.TrimPrefix(p.demo.Issuer, "http://"), "127.0.0.1:8081", address,
			"http://127.0.0.1:8000", page.URL, "/etc/apache2", dir, "intranet", id).Replace(readFile(t, "testdata/apache/site.conf"))
		sites = append(sites, site)
	}
	file := filepath.Join(dir, "apache.conf")
	if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	startProgram(t, "Apache", exec.Command(path, "-f", file, "-DFOREGROUND"), func(string) bool {
		return !slices.ContainsFunc(sites, func(site *apacheSite) bool { return !answersOK(site.url + "/signed-out") })
	})
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("Apache's log:\n%s", tail(readFile(t, filepath.Join(dir, "error.log")), 6000))
		}
	})
	return sites
}

// TestApacheModAuthOpenIDC: one sign-in for two sites, a fresh token for each page, a rotation of the keys, and one logout.
func TestApacheModAuthOpenIDC(t *testing.T) {
	t.Parallel()
	p := startDev(t, t.TempDir())
	p.admin("", "user", "update", p.demo.Username, "--claim", "email=demo@example.com")
	sites := startApache(t, p, "intranet", "tickets")
	intranet, tickets := sites[0], sites[1]
	v := newVisitor(t, p.demo)
	first := v.signIn(v.open(intranet.url+"/start?a=b")).wants(t, intranet.url+"/start?a=b", "demo@example.com").accessToken(t)
	v.open(tickets.url+"/").wants(t, tickets.url+"/", "demo@example.com")
	if v.passwords != 1 {
		t.Errorf("the user typed the password %d times, want once for both sites", v.passwords)
	}
	p.admin("", "keys", "rotate", "--emergency", "--wait")
	before := p.refreshes()
	second := v.open(intranet.url+"/").wants(t, intranet.url+"/", "demo@example.com").accessToken(t)
	if p.refreshes() == before || kidOf(t, first) == kidOf(t, second) {
		t.Errorf("%d refreshes, then %d; the keys %s, then %s", before, p.refreshes(), kidOf(t, first), kidOf(t, second))
	}
	other := newVisitor(t, p.demo)
	other.signIn(other.open(tickets.url+"/")).wants(t, tickets.url+"/", "demo@example.com") // its id_token is of the next key

	v.open(intranet.signOut()).wants(t, intranet.url+"/signed-out")
	if page := v.open(intranet.url + "/"); !page.asksForPassword() {
		t.Errorf("after the logout: %s\n%s", page.at, page.body)
	}
	waitFor(t, "the other site to be informed", func() bool { return v.open(tickets.url + "/").asksForPassword() })
	other.open(tickets.url+"/").wants(t, tickets.url+"/", "demo@example.com") // another browser of the same user
}
