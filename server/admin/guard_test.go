package admin_test

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
		socket.CallJSON(t, "POST", "/v1/clients/ops/disable", "").Wants(200, "")
	},
	"client deleted": func(t *testing.T, _, socket *servertest.Server, _, _ string) {
		socket.CallJSON(t, "DELETE", "/v1/clients/ops", "").Wants(204, "")
	},
	"scope taken away": func(t *testing.T, _, socket *servertest.Server, _, _ string) {
		socket.CallJSON(t, "PATCH", "/v1/clients/ops", `{"scopes":["other"]}`).Wants(200, "")
	},
	"token revoked": func(t *testing.T, s, _ *servertest.Server, token, secret string) {
		s.Form(t, "/revoke", "token="+token).Basic("ops", secret).Wants(200, "")
	},
	"token expired": func(_ *testing.T, s, _ *servertest.Server, _, _ string) { s.Clock.Add(6 * time.Minute) },
}

// openImport begins an import whose lines the test sends one by one.
func openImport(t *testing.T, admin *servertest.Server, token string) (send io.WriteCloser, answered chan servertest.Answer) {
	t.Helper()
	body, send := io.Pipe()
	answered = make(chan servertest.Answer, 1)
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
		answered <- servertest.Answer{Status: res.StatusCode, Header: res.Header, Raw: string(raw)}
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

// stream is one import or backup of a caller who loses the right to it.
type stream struct {
	name             string
	s, admin, socket *servertest.Server
	token, secret    string
	end              func(t *testing.T, s, socket *servertest.Server, token, secret string)
	goesOn           bool // the caller goes on to send or to read
}

// newStreams has each way to lose the right, for callers that go on and for callers that stop. The streams wait for the next
// look at their rights, so a test begins all of them before it looks at the first.
func newStreams(t *testing.T, change func(name string, cfg *server.Config)) (all []*stream) {
	for ending, end := range endings {
		for _, goesOn := range []bool{true, false} {
			name := fmt.Sprintf("%s, goes on %v", ending, goesOn)
			s, admin, secret := servertest.NewTokenAdmin(t, func(cfg *server.Config) { change(name, cfg) })
			all = append(all, &stream{name: name, s: s, admin: admin, socket: s.ServeAdmin(t, s.Admin()), secret: secret, end: end, goesOn: goesOn,
				token: s.OpsToken(t, secret).Wants(200, "").Str("access_token")})
		}
	}
	return all
}

func (one *stream) loseRight(t *testing.T) { one.end(t, one.s, one.socket, one.token, one.secret) }

// TestImportEndsWithItsRight: what comes after the caller has lost the right is not taken, whether the
// lines keep coming or the import waits for them.
func TestImportEndsWithItsRight(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for seconds; the full suite has it")
	}
	t.Parallel()
	streams := newStreams(t, func(string, *server.Config) {})
	sends := make([]io.WriteCloser, len(streams))
	answers := make([]chan servertest.Answer, len(streams))
	for i, one := range streams {
		sends[i], answers[i] = openImport(t, one.admin, one.token)
		sendUsers(sends[i], "before", 256)
		waitForUser(t, one.s, "before255")
		if e := one.s.AwaitEvent(t, store.EventUserImportBegin); e.Actor != "ops" {
			t.Errorf("%s: event at the beginning: got %+v", one.name, e)
		}
		one.loseRight(t)
		if one.goesOn {
			go func() { sendUsers(sends[i], "after", 600); sends[i].Close() }()
		}
	}
	for i, one := range streams {
		t.Run(one.name, func(t *testing.T) {
			a := <-answers[i]
			sends[i].Close()
			if a.Status != 401 && a.Status != 403 || !strings.Contains(a.Raw, "accepted users before: 256") {
				t.Errorf("got %d %s", a.Status, a.Raw)
			}
			if _, err := one.s.Store.UserByName(context.Background(), "after0"); err == nil {
				t.Error("a user was taken after the right was lost")
			}
			if e := one.s.AwaitEvent(t, store.EventUserImport); e.Detail["accepted"] != "256" || e.Detail["reason"] == "" {
				t.Errorf("event at the end: got %+v", e)
			}
		})
	}
}

// endlessBackup writes until it is stopped.
type endlessBackup struct {
	store.Store
	begun chan struct{}
}

func (b *endlessBackup) Backup(ctx context.Context, w io.Writer) (n int64, err error) {
	close(b.begun)
	pace := time.NewTicker(5 * time.Millisecond) // fills the buffers of a connection that is not read in a moment
	defer pace.Stop()
	for chunk := make([]byte, 256<<10); ; {
		select {
		case <-ctx.Done():
			return n, ctx.Err()
		case <-pace.C:
		}
		m, err := w.Write(chunk)
		if n += int64(m); err != nil {
			return n, err
		}
	}
}

func (b *endlessBackup) Flush(context.Context, time.Time) error { return nil }

// TestBackupEndsWithItsRight: also where the caller does not read. Meanwhile there is no other one.
func TestBackupEndsWithItsRight(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for seconds; the full suite has it")
	}
	t.Parallel()
	begun := map[string]chan struct{}{}
	streams := newStreams(t, func(name string, cfg *server.Config) {
		begun[name] = make(chan struct{})
		cfg.Store = &endlessBackup{cfg.Store, begun[name]}
	})
	bodies := make([]io.Reader, len(streams))
	for i, one := range streams {
		req, _ := http.NewRequestWithContext(t.Context(), "GET", one.admin.URL+"/v1/backup", nil)
		req.Header.Set("Authorization", "Bearer "+one.token)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		bodies[i] = res.Body
		<-begun[one.name]
		if second := one.socket.CallJSON(t, "GET", "/v1/backup", "").Wants(503, "busy"); second.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		one.s.AwaitEvent(t, store.EventBackup)
		one.loseRight(t)
	}
	for i, one := range streams {
		t.Run(one.name, func(t *testing.T) {
			if one.goesOn {
				if _, err := io.Copy(io.Discard, bodies[i]); err == nil {
					t.Error("a backup that was broken off looks whole")
				}
			}
			if e := one.s.AwaitEvent(t, store.EventBackupEnd); e.Actor != "ops" || e.Detail["complete"] != "false" || e.Detail["reason"] == "" {
				t.Errorf("event at the end: got %+v", e)
			}
		})
	}
}

func TestBackupsOneAfterTheOther(t *testing.T) {
	t.Parallel()
	s, socket := servertest.NewAdmin(t, nil)
	for range 2 {
		openCopy(t, socket.CallJSON(t, "GET", "/v1/backup", "").Wants(200, "").Raw)
	}
	if e := s.AwaitEvent(t, store.EventBackupEnd); e.Detail["complete"] != "true" || e.Detail["bytes"] == "0" {
		t.Errorf("event at the end: got %+v", e)
	}
}
