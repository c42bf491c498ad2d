package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"time"

	"signet/cmd/signet/internal/cli"
	"signet/config"
)

// soon is the remaining lifetime below which a certificate should have been renewed.
const soon = 14 * 24 * time.Hour

// examineCertificate checks the certificate of the public listener as a client does.
func (d *doctor) examineCertificate(cfg config.Config) {
	const check = "certificate"
	if cfg.TLS.Cert == "" {
		return
	}
	pair, err := tls.LoadX509KeyPair(cfg.TLS.Cert, cfg.TLS.Key)
	if err != nil {
		d.note(check, stateProblem, "tls.cert: "+err.Error())
		return
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		d.note(check, stateProblem, "tls.cert: "+err.Error())
		return
	}
	issuer, _ := url.Parse(cfg.Issuer) // checked with the configuration
	if err := leaf.VerifyHostname(issuer.Hostname()); err != nil {
		d.note(check, stateProblem, fmt.Sprintf("it is not for the issuer's host: %s", err))
		return
	}
	now := time.Now()
	switch left := leaf.NotAfter.Sub(now); {
	case left <= 0:
		d.note(check, stateProblem, "it ran out "+cli.Relative(leaf.NotAfter, now))
	case left < soon:
		d.note(check, stateWarning, "it runs out "+cli.Relative(leaf.NotAfter, now)+"; renew it, the server notices the new file by itself")
	default:
		d.note(check, stateOK, "good until "+cli.FormatTime(leaf.NotAfter))
	}
}
