package daemon

import (
	"crypto/x509"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"signet/cmd/signet/internal/install/installtest"
)

// A certificate that is only half written is not used; the one before stays until the pair fits again.
func TestCertificatesHalfRenewed(t *testing.T) {
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	installtest.WriteCertificate(t, certFile, keyFile, 1)
	certs, err := loadCertificates(certFile, keyFile, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	serial := func() int64 {
		now = now.Add(2 * certificateCheck)
		leaf, err := x509.ParseCertificate(certs.get(now).Certificate[0])
		if err != nil {
			t.Fatal(err)
		}
		return leaf.SerialNumber.Int64()
	}
	for _, step := range []struct {
		what string
		do   func()
		want int64
	}{
		{"nothing has changed", func() {}, 1},
		{"half a certificate", func() { write(t, certFile, "half a cert") }, 1},
		{"another certificate, the old key", func() {
			key, err := os.ReadFile(keyFile)
			if err != nil {
				t.Fatal(err)
			}
			installtest.WriteCertificate(t, certFile, keyFile, 2)
			write(t, keyFile, string(key))
		}, 1},
		{"both gone", func() { remove(t, certFile); remove(t, keyFile) }, 1},
		{"a new pair", func() { installtest.WriteCertificate(t, certFile, keyFile, 3) }, 3},
	} {
		step.do()
		if got := serial(); got != step.want {
			t.Errorf("%s: got certificate %d, want %d", step.what, got, step.want)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func remove(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}
