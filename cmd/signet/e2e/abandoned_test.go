package e2e

import (
	"fmt"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"signet/store/redis/redistest"
)

// TestAbandonedSignIns: 10,000 browsers open the sign-in page and never come back, one in ten by a pushed request. Neither store has
// more in it than before.
func TestAbandonedSignIns(t *testing.T) {
	t.Parallel()
	const browsers, workers = 10_000, 16
	for _, store := range []string{"bolt", "redis"} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			var s *benchSide
			var size func() int64
			if store == "redis" {
				server := redistest.Start(t, redistest.Config{})
				s = startSide(t, signetBinary(t), "redis://"+server.Addr(), nil)
				size = func() int64 {
					n, err := server.Client().DBSize(t.Context()).Result()
					if err != nil {
						t.Fatal(err)
					}
					return n
				}
			} else {
				s = startSide(t, signetBinary(t), "bolt:signet.db", nil)
				size = func() int64 {
					copied := filepath.Join(t.TempDir(), "copy.db")
					s.run("", "backup", "--config", s.config, copied)
					text := s.run("", "export", "--config", s.config, "--store", "bolt:"+copied, "-")
					return int64(strings.Count(text, "\n") - strings.Count(text, `"type":"backup`)) // the copies themselves are on the audit trail
				}
			}
			s.run("", "client", "create", "--config", s.config, "--id", pageApp, "--public", "--grant", "authorization_code",
				"--scope", "profile", "--redirect-uri", pageCallback)
			_, challenge := pkce()
			before := size()
			var all sync.WaitGroup
			for worker := range workers {
				all.Go(func() {
					for i := worker; i < browsers; i += workers {
						if err := s.abandon(challenge, i%10 == 0); err != nil {
							t.Error(err)
							return
						}
					}
				})
			}
			all.Wait()
			if after := size(); after > before {
				t.Errorf("%d records became %d", before, after)
			}
		})
	}
}

// abandon opens the page in a new browser.
func (s *benchSide) abandon(challenge string, pushed bool) error {
	c := &codeBrowser{side: s, cookies: map[string]string{}}
	if !pushed {
		return isSignInPage(c.open(challenge))
	}
	res, body, err := c.send(http.MethodPost, "/par", authorizationRequest(challenge))
	if err != nil {
		return err
	}
	if res.StatusCode != http.StatusCreated {
		return fmt.Errorf("%s: %s", res.Status, body)
	}
	_, uri, _ := strings.Cut(string(body), `"request_uri":"`)
	uri, _, _ = strings.Cut(uri, `"`)
	return isSignInPage(c.send(http.MethodGet, "/authorize?"+url.Values{"client_id": {pageApp}, "request_uri": {uri}}.Encode(), nil))
}

func isSignInPage(res *http.Response, body []byte, err error) error {
	if err == nil && (res.StatusCode != http.StatusOK || !requestFieldOf.Match(body)) {
		err = fmt.Errorf("%s: %s", res.Status, body)
	}
	return err
}
