package daemon

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificates serves a certificate from its two files and reads them again when they change, so that a renewal needs no
// restart. While the two files do not fit together, during a renewal, the certificate before stays in use.
type certificates struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	current *tls.Certificate
	seen    [2]fileState
	checked time.Time
}

// fileState is compared to detect a changed file.
type fileState struct {
	size     int64
	modified time.Time
}

// certificateCheck is the shortest interval at which the files are checked.
const certificateCheck = time.Second

func loadCertificates(certFile, keyFile string, log *slog.Logger) (*certificates, error) {
	c := &certificates{certFile: certFile, keyFile: keyFile, log: log}
	c.seen = c.look()
	if err := c.load(); err != nil {
		return nil, err
	}
	return c, nil
}

// config offers HTTP/1.1 only. An HTTP/2 connection carries many requests, which weakens limits by connection and the
// timeouts of a request. Apps that request a token now and then, and caches of the key set, gain nothing by HTTP/2.
func (c *certificates) config() *tls.Config {
	return &tls.Config{
		MinVersion:     tls.VersionTLS12,
		NextProtos:     []string{"http/1.1"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return c.get(time.Now()), nil },
	}
}

// get returns the certificate to present at now.
func (c *certificates) get(now time.Time) *tls.Certificate {
	c.mu.Lock()
	defer c.mu.Unlock()
	if now.Sub(c.checked) < certificateCheck {
		return c.current
	}
	c.checked = now
	if seen := c.look(); seen != c.seen {
		c.seen = seen
		if err := c.load(); err != nil {
			c.log.Error("the new certificate cannot be used; the one before stays", slog.Any("error", err))
		} else {
			c.log.Info("certificate read again", slog.String("file", c.certFile))
		}
	}
	return c.current
}

func (c *certificates) load() error {
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("tls: %s and %s: %w", c.certFile, c.keyFile, err)
	}
	c.current = &pair
	return nil
}

func (c *certificates) look() (seen [2]fileState) {
	for i, name := range []string{c.certFile, c.keyFile} {
		if info, err := os.Stat(name); err == nil {
			seen[i] = fileState{info.Size(), info.ModTime()}
		}
	}
	return seen
}
