package server_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"signet/server"
	"signet/server/servertest"
	"signet/store"
)

// endings are the ways in which a caller loses the right to a stream that has begun.
var endings = map[string]func(t *testing.T, s, socket *servertest.Server, token, secret string){
	"client disabled": func(t *testing.T, _, socket *servertest.Server, _, _ string) {
		adminCall(t, socket, "POST", "/v1/clients/ops/disable", "").wants(200, "")
	},
	"client deleted": func(t *testing.T, _, socket *servertest.Server, _, _ string) {
		adminCall(t, socket, "DELETE", "/v1/clients/ops", "").wants(204, "")
	},
	"scope taken away": func(t *testing.T, _, socket *servertest.Server, _, _ string) {
		adminCall(t, socket, "PATCH", "/v1/clients/ops", `{"scopes":["other"]}`).wants(200, "")
	},
	"token revoked": func(t *testing.T, s, _ *servertest.Server, token, secret string) {
		form(t, s, "/revoke", "token="+token).basic("ops", secret).wants(200, "")
	},
	"token expired": func(_ *testing.T, s, _ *servertest.Server, _, _ string) { s.Clock.Add(6 * time.Minute) },
}

// openImport begins an import whose lines the test sends one by one.
func openImport(t *testing.T, admin *servertest.Server, token string) (send io.WriteCloser, answered chan answer) {
	t.Helper()
	body, send := io.Pipe()
	answered = make(chan answer, 1)
	req, err := http.NewRequestWithContext(t.Context(), "POST", admin.URL+"/v1/users:import", body)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	go func() {
		defer close(answered)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Error(err)
			return
		}
		defer res.Body.Close()
		raw, _ := io.ReadAll(res.Body)
		answered <- answer{Status: res.StatusCode, Header: res.Header, Raw: string(raw)}
	}()
	return send, answered
}

func sendUsers(w io.Writer, prefix string, n int) {
	for i := range n {
		fmt.Fprintf(w, "{\"username\":\"%s%d\",\"claims\":{\"roles\":[\"admin\"]}}\n", prefix, i)
	}
}

// waitForUser returns when the import has come as far.
func waitForUser(t *testing.T, s *servertest.Server, name string) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if _, err := s.Store.UserByName(t.Context(), name); err == nil {
			return
		}
	}
	t.Fatalf("%s was not imported", name)
}

// TestImportEndsWithItsRight: what comes after the caller has lost the right is not taken, whether the
// lines keep coming or the import waits for them.
func TestImportEndsWithItsRight(t *testing.T) {
	for name, end := range endings {
		for _, more := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, more lines %v", name, more), func(t *testing.T) {
				t.Parallel()
				s, admin, secret := newTokenAdmin(t, nil)
				socket := adminOf(t, s, s.Admin())
				token := opsToken(t, s, secret).wants(200, "").str("access_token")
				send, answered := openImport(t, admin, token)
				sendUsers(send, "before", 64)
				waitForUser(t, s, "before63")
				if e := trail(t, s, store.EventUserImportBegin); e.Actor != "ops" {
					t.Errorf("event at the beginning: got %+v", e)
				}
				end(t, s, socket, token, secret)
				if more {
					go func() { sendUsers(send, "after", 200); send.Close() }()
				}
				a := <-answered
				send.Close()
				if a.Status != 401 && a.Status != 403 || !strings.Contains(a.Raw, "64 users were accepted") {
					t.Errorf("got %d %s", a.Status, a.Raw)
				}
				if _, err := s.Store.UserByName(context.Background(), "after0"); err == nil {
					t.Error("a user was taken after the right was lost")
				}
				if e := trail(t, s, store.EventUserImport); e.Detail["accepted"] != "64" || e.Detail["reason"] == "" {
					t.Errorf("event at the end: got %+v", e)
				}
			})
		}
	}
}

// endlessBackup writes until it is stopped.
type endlessBackup struct {
	store.Store
	begun chan struct{}
}

func (b *endlessBackup) Backup(ctx context.Context, w io.Writer) (n int64, err error) {
	close(b.begun)
	for chunk := make([]byte, 64<<10); ; {
		if err := ctx.Err(); err != nil {
			return n, err
		}
		m, err := w.Write(chunk)
		if n += int64(m); err != nil {
			return n, err
		}
	}
}

func (b *endlessBackup) Flush(context.Context, time.Time) error { return nil }

// TestBackupEndsWithItsRight: also where nobody reads it. Meanwhile there is no other one.
func TestBackupEndsWithItsRight(t *testing.T) {
	for name, end := range endings {
		for _, reads := range []bool{true, false} {
			t.Run(fmt.Sprintf("%s, read %v", name, reads), func(t *testing.T) {
				t.Parallel()
				endless := &endlessBackup{begun: make(chan struct{})}
				s, admin, secret := newTokenAdmin(t, func(cfg *server.Config) { endless.Store, cfg.Store = cfg.Store, endless })
				socket := adminOf(t, s, s.Admin())
				token := opsToken(t, s, secret).wants(200, "").str("access_token")
				req, _ := http.NewRequestWithContext(t.Context(), "GET", admin.URL+"/v1/backup", nil)
				req.Header.Set("Authorization", "Bearer "+token)
				res, err := http.DefaultClient.Do(req)
				if err != nil {
					t.Fatal(err)
				}
				defer res.Body.Close()
				<-endless.begun
				second := adminCall(t, socket, "GET", "/v1/backup", "").wants(503, "busy")
				if second.Header.Get("Retry-After") == "" {
					t.Error("no Retry-After")
				}
				trail(t, s, store.EventBackup)
				end(t, s, socket, token, secret)
				if reads {
					if _, err := io.Copy(io.Discard, res.Body); err == nil {
						t.Error("a backup that was broken off looks whole")
					}
				}
				if e := trail(t, s, store.EventBackupEnd); e.Actor != "ops" || e.Detail["complete"] != "false" || e.Detail["reason"] == "" {
					t.Errorf("event at the end: got %+v", e)
				}
			})
		}
	}
}

func TestBackupsOneAfterTheOther(t *testing.T) {
	s, socket := newAdmin(t, nil)
	for range 2 {
		openCopy(t, adminCall(t, socket, "GET", "/v1/backup", "").wants(200, "").Raw)
	}
	if e := trail(t, s, store.EventBackupEnd); e.Detail["complete"] != "true" || e.Detail["bytes"] == "0" {
		t.Errorf("event at the end: got %+v", e)
	}
}
