package redistest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// TLS has a server speak TLS only.
type TLS struct {
	Files       *CertificateFiles
	Pair        Pair // what the server shows; zero means Files.Server
	ClientCerts bool // refuse clients without a certificate from Files.CA
}

// A Pair is a certificate and its key, as PEM files.
type Pair struct {
	Cert, Key string
}

// CertificateFiles are certificates for 127.0.0.1 and localhost; some are for other names.
type CertificateFiles struct {
	CA         string // the authority that clients and servers should trust
	OtherCA    string // one they should not
	Server     Pair
	Expired    Pair // ended yesterday
	WrongName  Pair // for another host
	Stranger   Pair // from OtherCA
	ClientPair Pair // for a client
}

// Certificates makes an authority and its certificates.
func Certificates(t testing.TB) *CertificateFiles {
	t.Helper()
	dir := t.TempDir()
	ours, other := newAuthority(t, dir, "ca"), newAuthority(t, dir, "other-ca")
	tomorrow := time.Now().Add(24 * time.Hour)
	return &CertificateFiles{
		CA:         ours.file,
		OtherCA:    other.file,
		Server:     ours.issue(t, dir, "server", tomorrow, "localhost"),
		Expired:    ours.issue(t, dir, "expired", time.Now().Add(-24*time.Hour), "localhost"),
		WrongName:  ours.issue(t, dir, "wrong-name", tomorrow, "elsewhere.example"),
		Stranger:   other.issue(t, dir, "stranger", tomorrow, "localhost"),
		ClientPair: ours.issue(t, dir, "client", tomorrow, "localhost"),
	}
}

// Client returns what a client needs that trusts CA and shows pair, or nothing if pair is zero.
func (f *CertificateFiles) Client(pair Pair) *tls.Config {
	c := &tls.Config{RootCAs: x509.NewCertPool()}
	ca, err := os.ReadFile(f.CA)
	if err != nil || !c.RootCAs.AppendCertsFromPEM(ca) {
		panic(fmt.Sprintf("redistest: the CA file we wrote, %s: %v", f.CA, err))
	}
	if pair != (Pair{}) {
		own, err := tls.LoadX509KeyPair(pair.Cert, pair.Key)
		if err != nil {
			panic(fmt.Sprintf("redistest: the certificate we wrote: %v", err))
		}
		c.Certificates = []tls.Certificate{own}
	}
	return c
}

// conf returns the lines for redis.conf.
func (c *TLS) conf(port int) []string {
	shown, ask := c.Pair, "no"
	if shown == (Pair{}) {
		shown = c.Files.Server
	}
	if c.ClientCerts {
		ask = "yes"
	}
	return []string{
		"port 0",
		fmt.Sprint("tls-port ", port),
		"tls-cert-file " + shown.Cert,
		"tls-key-file " + shown.Key,
		"tls-ca-cert-file " + c.Files.CA,
		"tls-auth-clients " + ask,
		"tls-replication yes",
		"tls-cluster yes",
	}
}

type authority struct {
	file string
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func newAuthority(t testing.TB, dir, name string) authority {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: name},
		NotBefore:             time.Now().Add(-48 * time.Hour),
		NotAfter:              time.Now().Add(48 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	key := newKey(t)
	der := sign(t, template, template, key, key)
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return authority{file: writePEM(t, dir, name+".crt", "CERTIFICATE", der), cert: cert, key: key}
}

// issue makes a certificate for one host name. The loopback address goes with localhost only, so
// that a certificate for another name is wrong however the server is reached.
func (a authority) issue(t testing.TB, dir, name string, until time.Time, host string) Pair {
	t.Helper()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()),
		Subject:      pkix.Name{CommonName: name},
		NotBefore:    time.Now().Add(-36 * time.Hour),
		NotAfter:     until,
		KeyUsage:     x509.KeyUsageDigitalSignature,
		// Servers are each other's clients, so every certificate may be shown from either side.
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		DNSNames:    []string{host},
	}
	if host == "localhost" {
		template.IPAddresses = []net.IP{net.IPv4(127, 0, 0, 1)}
	}
	key := newKey(t)
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return Pair{
		Cert: writePEM(t, dir, name+".crt", "CERTIFICATE", sign(t, template, a.cert, key, a.key)),
		Key:  writePEM(t, dir, name+".key", "PRIVATE KEY", keyDER),
	}
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func sign(t testing.TB, template, parent *x509.Certificate, key, signer *ecdsa.PrivateKey) []byte {
	t.Helper()
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		t.Fatal(err)
	}
	return der
}

func writePEM(t testing.TB, dir, name, kind string, der []byte) string {
	t.Helper()
	file := filepath.Join(dir, name)
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
