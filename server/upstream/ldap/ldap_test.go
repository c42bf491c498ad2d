package ldap_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	ber "github.com/go-asn1-ber/asn1-ber"
	goldap "github.com/go-ldap/ldap/v3"

	"signet/server"
	"signet/server/outbound"
	"signet/server/servertest"
	"signet/server/upstream"
	"signet/server/upstream/ldap"
)

const adaPassword = "the password of ada"

var loopback = outbound.Dialer{Networks: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}}

const people = `dn: dc=example,dc=com
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: ou=people,dc=example,dc=com
objectClass: organizationalUnit
ou: people

dn: cn=reader,dc=example,dc=com
objectClass: organizationalRole
objectClass: simpleSecurityObject
cn: reader
userPassword: the reader's password

dn: uid=ada,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: ada
cn: Ada
sn: Lovelace
mail: ada@example.com
employeeType: staff
employeeType: admin
userPassword: the password of ada

dn: uid=b*b,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: b*b
cn: Bob
sn: Star
mail: shared@example.com
userPassword: the password of bob

dn: uid=bib,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: bib
cn: Bib
sn: Other
mail: shared@example.com
userPassword: the password of bib

dn: uid=none,ou=people,dc=example,dc=com
objectClass: inetOrgPerson
uid: none
cn: None
sn: None
`

// directory is a slapd of its own.
type directory struct {
	plain, secure string // host and port
	roots         *x509.CertPool
}

// startSlapd starts OpenLDAP's server, which requires TLS for anything but StartTLS where the configuration has it.
func startSlapd(t *testing.T, extra string) directory {
	t.Helper()
	for _, tool := range []string{"/usr/sbin/slapd", "/usr/sbin/slapadd"} {
		if _, err := os.Stat(tool); err != nil {
			if os.Getenv("CI") == "true" {
				t.Fatal("there is no slapd; apt-get install slapd")
			}
			t.Skip("there is no slapd; apt-get install slapd")
		}
	}
	dir := t.TempDir()
	server := httptest.NewUnstartedServer(nil)
	server.StartTLS() // for its certificate, which is for example.com and 127.0.0.1
	pair := server.TLS.Certificates[0]
	roots := x509.NewCertPool()
	roots.AddCert(server.Certificate())
	server.Close()
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	cert := write("cert.pem", string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]})))
	key := write("key.pem", string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})))
	if err := os.Mkdir(filepath.Join(dir, "db"), 0o700); err != nil {
		t.Fatal(err)
	}
	config := write("slapd.conf", fmt.Sprintf(`include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile %[1]s/pid
TLSCertificateFile %[2]s
TLSCertificateKeyFile %[3]s
%[4]s
database mdb
suffix "dc=example,dc=com"
directory %[1]s/db
access to attrs=userPassword by anonymous auth by * none
access to * by self read by dn.exact="cn=reader,dc=example,dc=com" read by * none
`, dir, cert, key, extra))
	if out, err := exec.Command("/usr/sbin/slapadd", "-f", config, "-l", write("people.ldif", people)).CombinedOutput(); err != nil {
		t.Fatalf("slapadd: %v\n%s", err, out)
	}
	d := directory{plain: freeAddress(t), secure: freeAddress(t), roots: roots}
	cmd := exec.Command("/usr/sbin/slapd", "-d", "0", "-f", config, "-h", "ldap://"+d.plain+" ldaps://"+d.secure)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		conn, err := net.Dial("tcp", d.secure)
		if err == nil {
			conn.Close()
			return d
		}
		if time.Now().After(deadline) {
			t.Fatalf("slapd does not listen: %v", err)
		}
	}
}

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func (d directory) source(t *testing.T, change func(*ldap.Config)) *ldap.Source {
	t.Helper()
	cfg := ldap.Config{URL: "ldap://" + d.plain, StartTLS: true, TLS: &tls.Config{RootCAs: d.roots, MinVersion: tls.VersionTLS12}, Dialer: loopback,
		BindDN: "cn=reader,dc=example,dc=com", BindPassword: "the reader's password", Base: "ou=people,dc=example,dc=com",
		Filter: "(&(objectClass=inetOrgPerson)(|(uid={username})(mail={username})))", IDAttribute: "entryUUID",
		Claims: []ldap.Claim{{Attribute: "mail", Name: "email"}, {Attribute: "employeetype", Name: "roles", List: true}, {Attribute: "title", Name: "title"}}}
	if change != nil {
		change(&cfg)
	}
	s, err := ldap.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func check(t *testing.T, s *ldap.Source, username, password string) (upstream.Answer, error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	return s.Check(ctx, username, password)
}

// TestSlapd asks a real directory, which takes nothing without TLS.
func TestSlapd(t *testing.T) {
	d := startSlapd(t, "security tls=1")
	byDN := func(c *ldap.Config) {
		c.UserDN, c.BindDN = "uid={username},ou=people,dc=example,dc=com", ""
	}
	for name, s := range map[string]*ldap.Source{
		"search, StartTLS": d.source(t, nil),
		"search, ldaps":    d.source(t, func(c *ldap.Config) { c.URL, c.StartTLS = "ldaps://"+d.secure, false }),
		"DN":               d.source(t, byDN),
	} {
		t.Run(name, func(t *testing.T) {
			ada, err := check(t, s, "ada", adaPassword)
			if err != nil || !ada.Match || len(ada.ID) != 38 {
				t.Fatalf("got %+v, %v", ada, err)
			}
			if string(ada.Claims["email"]) != `"ada@example.com"` || string(ada.Claims["roles"]) != `["admin","staff"]` || len(ada.Claims) != 2 {
				t.Errorf("claims: got %s", ada.Claims)
			}
			if bob, err := check(t, s, "b*b", "the password of bob"); err != nil || !bob.Match {
				t.Errorf("a name with a star: got %+v, %v", bob, err)
			}
			for _, wrong := range [][2]string{{"ada", "wrong"}, {"ada", ""}, {"nobody", "x"}, {"nobody", ""}, {"*", adaPassword},
				{"a*", adaPassword},
				{"ada)(uid=*", adaPassword}, {"ada,ou=people", adaPassword}, {`ada\2a`, adaPassword}, {"none", "x"}, {"none", ""}} {
				got, err := check(t, s, wrong[0], wrong[1])
				if err != nil || got.Match || got.Reason == "" {
					t.Errorf("%q: got %+v, %v", wrong, got, err)
				}
			}
		})
	}
	for name, tc := range map[string]struct {
		source         *ldap.Source
		username, pass string
		want           error
	}{
		"a mail of two entries":      {d.source(t, nil), "shared@example.com", "the password of bob", upstream.ErrAnswer},
		"without TLS":                {d.source(t, func(c *ldap.Config) { c.StartTLS = false }), "ada", adaPassword, upstream.ErrUnavailable},
		"an unknown authority":       {d.source(t, func(c *ldap.Config) { c.TLS.RootCAs = x509.NewCertPool() }), "ada", adaPassword, upstream.ErrUnavailable},
		"the wrong host":             {d.source(t, func(c *ldap.Config) { c.TLS.ServerName = "directory.test" }), "ada", adaPassword, upstream.ErrUnavailable},
		"the wrong service password": {d.source(t, func(c *ldap.Config) { c.BindPassword = "x" }), "ada", adaPassword, upstream.ErrUnavailable},
		"a base that is not there":   {d.source(t, func(c *ldap.Config) { c.Base = "ou=nobody,dc=example,dc=com" }), "ada", adaPassword, upstream.ErrUnavailable},
		"no id":                      {d.source(t, func(c *ldap.Config) { c.IDAttribute = "objectGUID" }), "ada", adaPassword, upstream.ErrAnswer},
		"nobody listens":             {d.source(t, func(c *ldap.Config) { c.URL = "ldaps://" + freeAddress(t) }), "ada", adaPassword, upstream.ErrUnavailable},
		"a private network":          {d.source(t, func(c *ldap.Config) { c.Dialer = outbound.Dialer{} }), "ada", adaPassword, outbound.ErrNetwork},
	} {
		if got, err := check(t, tc.source, tc.username, tc.pass); got.Match || !errors.Is(err, tc.want) {
			t.Errorf("%s: got %+v, %v; want %v", name, got, err, tc.want)
		} else if strings.Contains(err.Error(), "password of") || strings.Contains(err.Error(), "reader's") {
			t.Errorf("%s: the error shows a password: %v", name, err)
		}
	}
}

// TestUnauthenticatedBind: a server that accepts a bind without a password is not asked for one.
func TestUnauthenticatedBind(t *testing.T) {
	d := startSlapd(t, "allow bind_anon_cred bind_anon_dn")
	conn, err := goldap.DialURL("ldap://" + d.plain)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.UnauthenticatedBind("uid=ada,ou=people,dc=example,dc=com"); err != nil {
		t.Fatalf("the server does not accept it, so that this test shows nothing: %v", err)
	}
	s := d.source(t, func(c *ldap.Config) { c.UserDN, c.BindDN = "uid={username},ou=people,dc=example,dc=com", "" })
	if got, err := check(t, s, "ada", ""); err != nil || got.Match {
		t.Errorf("got %+v, %v", got, err)
	}
}

// scripted is a directory that answers every bind after the first with one result, and may do worse.
func scripted(t *testing.T, code uint16, message string, flood bool) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				for {
					packet, err := ber.ReadPacket(conn)
					if err != nil {
						return
					}
					if flood {
						_, _ = conn.Write([]byte{0x30, 0x84, 0x7f, 0xff, 0xff, 0xff}) // an answer of 2 GB begins
						for _, err = conn.Write(make([]byte, 64<<10)); err == nil; _, err = conn.Write(make([]byte, 64<<10)) {
						}
						return
					}
					reply := ber.Encode(ber.ClassUniversal, ber.TypeConstructed, ber.TagSequence, nil, "")
					reply.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagInteger, packet.Children[0].Value, ""))
					body := ber.Encode(ber.ClassApplication, ber.TypeConstructed, goldap.ApplicationBindResponse, nil, "")
					body.AppendChild(ber.NewInteger(ber.ClassUniversal, ber.TypePrimitive, ber.TagEnumerated, int64(code), ""))
					body.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, "", ""))
					body.AppendChild(ber.NewString(ber.ClassUniversal, ber.TypePrimitive, ber.TagOctetString, message, ""))
					reply.AppendChild(body)
					if _, err := conn.Write(reply.Bytes()); err != nil {
						return
					}
				}
			}()
		}
	}()
	return "ldap://" + l.Addr().String()
}

// TestResults: what each result of a bind means, with the messages that Active Directory sends.
func TestResults(t *testing.T) {
	ad := func(data string) string {
		return "80090308: LdapErr: DSID-0C0903A9, comment: AcceptSecurityContext error, data " + data + ", v1db1"
	}
	for _, tc := range []struct {
		code          uint16
		message, want string // the reason; "" for an error
	}{
		{49, "", "wrong password"},
		{49, ad("52e"), "wrong password (data 52e)"},
		{49, ad("525"), "no such user (data 525)"},
		{49, ad("533"), "the account is disabled (data 533)"},
		{49, ad("775"), "the account is locked (data 775)"},
		{49, ad("532"), "the password has expired (data 532)"},
		{49, ad("773"), "the password must be changed first (data 773)"},
		{49, ad("999"), "wrong password"},
		{32, "", "the directory has no such entry"},
		{53, "account inactivated", "the directory does not let the user log in"},
		{19, "exceeds the retry limit", "the directory does not let the user log in"},
		{10, "", ""}, {51, "busy", ""}, {52, "", ""}, {80, "", ""}, {8, "", ""}, {13, "", ""}, {1, "", ""}, {123, "", ""},
	} {
		s, err := ldap.New(ldap.Config{URL: scripted(t, tc.code, tc.message, false), TLS: &tls.Config{MinVersion: tls.VersionTLS12}, Dialer: loopback,
			UserDN: "uid={username},dc=example", IDAttribute: "entryUUID"})
		if err != nil {
			t.Fatal(err)
		}
		got, err := check(t, s, "ada", "x")
		if got.Match || got.Reason != tc.want || (err == nil) != (tc.want != "") {
			t.Errorf("result %d %q: got %+v, %v; want %q", tc.code, tc.message, got, err, tc.want)
		}
		if err != nil && !errors.Is(err, upstream.ErrUnavailable) && !errors.Is(err, upstream.ErrAnswer) {
			t.Errorf("result %d: got %v", tc.code, err)
		}
	}
}

// TestFlood: a directory that sends without end is cut off long before the time is over.
func TestFlood(t *testing.T) {
	s, err := ldap.New(ldap.Config{URL: scripted(t, 0, "", true), TLS: &tls.Config{MinVersion: tls.VersionTLS12}, Dialer: loopback,
		UserDN: "uid={username},dc=example", IDAttribute: "entryUUID"})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := check(t, s, "ada", "x"); got.Match || !errors.Is(err, upstream.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %+v, %v", got, err)
	}
}

// TestLogin: users of a directory log in, and stay there.
func TestLogin(t *testing.T) {
	source := startSlapd(t, "security tls=1").source(t, nil)
	s := servertest.New(t, func(c *server.Config) {
		c.Upstream = upstream.Settings{Source: source, Kind: "ldap", Stay: true, IDClaim: "legacy_id", Timeout: 5 * time.Second, Concurrency: 4}
	})
	login := func(username, password string) int {
		resp, err := servertest.Client.PostForm(s.URL+"/token", url.Values{"grant_type": {"password"}, "client_id": {servertest.SPA},
			"username": {username}, "password": {password}})
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	for _, tc := range []struct {
		username, password string
		want               int
	}{{"Bib", "the password of bib", 200}, {"bib", "the password of bib", 200}, {"bib", "wrong", 400}, {"ada", adaPassword, 400}, // ada is a user of the server
		{"nobody", "wrong", 400}, {"shared@example.com", "x", 503},
		{servertest.User + "2", "x", 400}} {
		if got := login(tc.username, tc.password); got != tc.want {
			t.Errorf("%s: got %d, want %d", tc.username, got, tc.want)
		}
	}
}
