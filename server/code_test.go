package server_test

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/server"
	"signet/server/servertest"
	"signet/store"
	"signet/store/redis"
	"signet/store/redis/redistest"
)

func codeRequest(code string) url.Values {
	return url.Values{"grant_type": {"authorization_code"}, "client_id": {servertest.SPA}, "code": {code}, "redirect_uri": {"https://app.example.com/cb"},
		"code_verifier": {verifierOfRFC}}
}

func letSPAUseCodes(c *store.Client) {
	c.Grants, c.RedirectURIs = []string{"authorization_code", "refresh_token"}, []string{"https://app.example.com/cb"}
}

// TestReplicasRaceForACode: two replicas on one store are sent one code at once. One redeems it, and its tokens are dead when both
// have answered: whoever was second may have been the app.
func TestReplicasRaceForACode(t *testing.T) {
	t.Parallel()
	for name, open := range map[string]func(t *testing.T, s *servertest.Server) store.Store{
		"bolt":  func(_ *testing.T, s *servertest.Server) store.Store { return s.Store },
		"redis": redisWithRecords,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := servertest.New(t, nil)
			s.SetClient(t, servertest.SPA, letSPAUseCodes)
			records := open(t, s)
			var replicas [2]*server.Server
			for i := range replicas {
				cfg := s.Config
				cfg.Store = records
				var err error
				if replicas[i], err = server.New(cfg); err != nil {
					t.Fatal(err)
				}
				defer replicas[i].Close()
			}
			for range 20 {
				code, _ := makeCode(t, s, records, servertest.SPA, nil)
				var answers [2]*httptest.ResponseRecorder
				var both sync.WaitGroup
				for i, replica := range replicas {
					answers[i] = httptest.NewRecorder()
					both.Go(func() { replica.ServeHTTP(answers[i], codePost(codeRequest(code))) })
				}
				both.Wait()
				if a, b := answers[0].Code, answers[1].Code; a+b != http.StatusOK+http.StatusBadRequest {
					t.Fatalf("got %d %s and %d %s, want one winner", a, answers[0].Body, b, answers[1].Body)
				}
				sessions, err := records.ListSessions(t.Context(), s.UserID, s.Clock.Now(), s.Config.Lifetimes)
				if err != nil {
					t.Fatal(err)
				}
				for _, session := range sessions {
					if session.ClientID == servertest.SPA {
						t.Fatalf("session %s is left", session.ID)
					}
				}
			}
		})
	}
}

func codePost(form url.Values) *http.Request {
	r := httptest.NewRequest(http.MethodPost, "/token", strings.NewReader(form.Encode()))
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return r
}

// redisWithRecords opens a Redis with the install, the user and the client of the server's own store.
func redisWithRecords(t *testing.T, s *servertest.Server) store.Store {
	t.Helper()
	records, err := redis.Open(t.Context(), redis.Config{Addrs: []string{redistest.Start(t, redistest.Config{}).Addr()}, Prefix: "code", Timeout: 10 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { records.Close() })
	install, err := s.Store.Install(t.Context())
	if err == nil {
		err = records.CreateInstall(t.Context(), install)
	}
	if err != nil {
		t.Fatal(err)
	}
	user, err := s.Store.User(t.Context(), s.UserID)
	if err == nil {
		err = records.CreateUser(t.Context(), user)
	}
	if err != nil {
		t.Fatal(err)
	}
	client, err := s.Store.Client(t.Context(), servertest.SPA)
	if err == nil {
		err = records.CreateClient(t.Context(), client)
	}
	if err != nil {
		t.Fatal(err)
	}
	return records
}

// A code is not spent before there is a signature: the app repeats its request.
func TestCodeSurvivesASignerThatIsAway(t *testing.T) {
	t.Parallel()
	s, v := newRemote(t, func(*server.Config) {})
	s.SetClient(t, servertest.SPA, letSPAUseCodes)
	code, _ := makeCode(t, s, s.Store, servertest.SPA, nil)
	request := func() *servertest.Request {
		return s.Call(t, http.MethodPost, "/token").Raw(codeRequest(code).Encode())
	}
	away(v, true)
	unavailable(t, request())
	away(v, false)
	request().Wants(http.StatusOK, "")
	request().Wants(http.StatusBadRequest, "invalid_grant")
}
