package admin_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signet/server"
	"signet/server/servertest"
	"signet/store"
	"signet/store/bolt"
)

func TestKeys(t *testing.T) {
	t.Parallel()
	s := servertest.NewRS256(t, nil)
	admin := s.ServeAdmin(t, s.Admin())
	beat := store.Heartbeat{Replica: "r1", KeyringVersion: 1, At: s.Clock.Now()}
	if err := s.Store.Beat(t.Context(), beat, time.Minute); err != nil {
		t.Fatal(err)
	}
	var before, after struct {
		Version uint64
		Keys    []struct {
			KID, Alg, State, Next string
			CreatedAt             time.Time `json:"created_at"`
			PublishedAt           time.Time `json:"published_at"`
			ActivatesAt           time.Time `json:"activates_at"`
			NextAt                time.Time `json:"next_at"`
		}
		Replicas    []store.Heartbeat
		ActivatesAt time.Time `json:"activates_at"`
	}
	a := admin.CallJSON(t, "GET", "/v1/keys", "").Wants(200, "")
	if err := json.Unmarshal([]byte(a.Raw), &before); err != nil {
		t.Fatal(err)
	}
	if before.Version != s.Keys.Version() || len(before.Keys) != 4 || len(before.Replicas) != 1 || before.Replicas[0].Replica != "r1" || !before.ActivatesAt.IsZero() {
		t.Fatalf("list: got %s", a.Raw)
	}
	for _, k := range before.Keys {
		if k.KID == "" || k.CreatedAt.IsZero() || k.PublishedAt.IsZero() || k.ActivatesAt.IsZero() || (k.State == "pending" && (k.Next == "" || k.NextAt.IsZero())) {
			t.Errorf("key: got %+v", k)
		}
	}
	for _, private := range []string{`"d":`, `"private"`, `"x":`, `"n":`} {
		if strings.Contains(a.Raw, private) {
			t.Errorf("list: %s is there: %s", private, a.Raw)
		}
	}

	first := admin.CallJSON(t, "POST", "/v1/keys/rotate", `{"alg":""}`).Wants(202, "")
	if err := json.Unmarshal([]byte(first.Raw), &after); err != nil {
		t.Fatal(err)
	}
	if len(after.Keys) != 4 || after.Version <= before.Version || !after.ActivatesAt.After(s.Clock.Now()) {
		t.Errorf("rotate: got %s", first.Raw)
	}
	moved := 0
	for i, k := range after.Keys {
		if k.State == "pending" && k.ActivatesAt.Before(before.Keys[i].ActivatesAt) {
			moved++
		}
	}
	if moved != 2 {
		t.Errorf("rotate of all algorithms: got %d keys brought on, want 2", moved)
	}
	if again := admin.CallJSON(t, "POST", "/v1/keys/rotate", "").Wants(202, ""); again.Str("activates_at") != first.Str("activates_at") {
		t.Errorf("rotate again: got %s, want %s", again.Raw, first.Raw)
	}
	admin.CallJSON(t, "POST", "/v1/keys/rotate", `{"alg":"ES256"}`).Wants(202, "")
	admin.CallJSON(t, "POST", "/v1/keys/rotate", `{"alg":"PS256"}`).Wants(400, "invalid").WantsMessage(t, "ES256, RS256")
	if e := s.AwaitEvent(t, "keys.rotate"); e.Detail["alg"] == "" || e.Actor != "socket" {
		t.Errorf("audit: got %+v", e)
	}
}

func TestAudit(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	s.Login(t)
	s.PasswordLogin(t, "ada", "wrong").Wants(400, "invalid_grant")
	admin.CallJSON(t, "POST", "/v1/clients/web/enable", "").Wants(200, "")
	for len(s.NewestEvent(t, "client.enable")) == 0 { // without a mark on the trail
		time.Sleep(time.Millisecond)
	}
	type page struct {
		Events []store.Event
		Next   uint64
	}
	read := func(query string) (p page) {
		t.Helper()
		a := admin.CallJSON(t, "GET", "/v1/audit?"+query, "").Wants(200, "")
		if err := json.Unmarshal([]byte(a.Raw), &p); err != nil || p.Events == nil {
			t.Fatalf("%s: %v in %s", query, err, a.Raw)
		}
		return p
	}
	all := read("")
	if len(all.Events) != 3 || all.Events[2].Type != "client.enable" || all.Next != all.Events[2].Seq {
		t.Fatalf("all: got %+v", all)
	}
	for query, want := range map[string]int{
		"type=login": 2, "client_id=web": 3, "client_id=spa": 0, "sub=" + s.UserID.String(): 2, "limit=1": 1, "limit=1&newest=true": 1,
		"newest=false": 3, fmt.Sprintf("after=%d", all.Events[0].Seq): 2,
	} {
		if got := read(query); len(got.Events) != want {
			t.Errorf("%s: got %d events, want %d", query, len(got.Events), want)
		}
	}
	if got := read("limit=1&newest=true"); got.Events[0].Seq != all.Next {
		t.Errorf("the newest: got %+v", got)
	}
	if got := read(fmt.Sprintf("after=%d", all.Next)); got.Next != all.Next {
		t.Errorf("nothing new: got next %d, want %d", got.Next, all.Next)
	}
	for _, query := range []string{"after=-1", "after=x", "limit=5000", "newest=yes", "actor=me", "type=a&type=b"} {
		admin.CallJSON(t, "GET", "/v1/audit?"+query, "").Wants(400, "invalid")
	}
}

func TestBackup(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	a := admin.CallJSON(t, "GET", "/v1/backup", "").Wants(200, "")
	if got := a.Header.Get("Content-Type"); got != "application/octet-stream" {
		t.Errorf("Content-Type: got %q", got)
	}
	copied := openCopy(t, a.Raw)
	if _, err := copied.Client(t.Context(), "web"); err != nil {
		t.Error(err)
	}
	s.AwaitEvent(t, "backup")
}

// heldTrail keeps events back until a test lets them go, or refuses them.
type heldTrail struct {
	*bolt.Store
	letGo   chan struct{}
	refusal error
	missed  atomic.Bool // the store was told to flush before it had the event of the backup
	came    atomic.Bool
}

func (h *heldTrail) AppendEvents(ctx context.Context, events []store.Event) error {
	<-h.letGo
	if h.refusal != nil {
		return h.refusal
	}
	defer h.came.Store(true)
	return h.Store.AppendEvents(ctx, events)
}

func (h *heldTrail) Flush(ctx context.Context, now time.Time) error {
	h.missed.Store(!h.came.Load())
	return h.Store.Flush(ctx, now)
}

// TestBackupIsComplete: what happened before the backup is in its trail, however far behind that
// is written, and it holds the moment of it.
func TestBackupIsComplete(t *testing.T) {
	t.Parallel()
	held := &heldTrail{letGo: make(chan struct{})}
	s, admin := servertest.NewAdmin(t, func(cfg *server.Config) { held.Store = cfg.Store.(*bolt.Store); cfg.Store = held })
	go func() {
		defer close(held.letGo)
		for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline) && !strings.Contains(s.Log.String(), `"type":"backup"`); {
			time.Sleep(time.Millisecond)
		}
	}()
	admin.CallJSON(t, "POST", "/v1/clients/other/disable", "").Wants(200, "")
	a := admin.CallJSON(t, "GET", "/v1/backup", "").Wants(200, "")
	if held.missed.Load() {
		t.Error("the store was flushed before it had the trail")
	}
	copied := openCopy(t, a.Raw)
	events, err := copied.Events(t.Context(), store.EventQuery{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range events {
		got = append(got, e.Type)
	}
	if want := "client.disable backup"; !strings.HasSuffix(strings.Join(got, " "), want) {
		t.Errorf("the trail of the copy: got %v, want %s last", got, want)
	}
	if at, err := copied.CopiedAt(t.Context()); err != nil || !at.Equal(s.Clock.Now()) {
		t.Errorf("made at: got %v, %v, want %v", at, err, s.Clock.Now())
	}
}

// TestBackupWithoutTrail: a trail that cannot be written keeps nobody from a backup.
func TestBackupWithoutTrail(t *testing.T) {
	t.Parallel()
	held := &heldTrail{letGo: make(chan struct{}), refusal: errors.New("no room")}
	close(held.letGo)
	s, admin := servertest.NewAdmin(t, func(cfg *server.Config) { held.Store = cfg.Store.(*bolt.Store); cfg.Store = held })
	openCopy(t, admin.CallJSON(t, "GET", "/v1/backup", "").Wants(200, "").Raw)
	if log := s.Log.String(); !strings.Contains(log, "the backup may lack the newest of the audit trail") {
		t.Errorf("the log does not say so:\n%s", log)
	}
}

func openCopy(t *testing.T, raw string) *bolt.Store {
	t.Helper()
	path := filepath.Join(t.TempDir(), "copy.db")
	if err := os.WriteFile(path, []byte(raw), 0o600); err != nil {
		t.Fatal(err)
	}
	copied, err := bolt.Open(path, bolt.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { copied.Close() })
	return copied
}

// brokenBackup writes what it has and then fails.
type brokenBackup struct {
	store.Store
	first string
}

func (b *brokenBackup) Backup(_ context.Context, w io.Writer) (int64, error) {
	n, _ := io.WriteString(w, b.first)
	return int64(n), fmt.Errorf("reading page 7: %w", store.ErrUnavailable)
}

func (b *brokenBackup) Flush(context.Context, time.Time) error { return nil }

func TestBackupThatFails(t *testing.T) {
	t.Parallel()
	broken := &brokenBackup{}
	s, admin := servertest.NewAdmin(t, func(cfg *server.Config) { broken.Store, cfg.Store = cfg.Store, broken })
	a := admin.CallJSON(t, "GET", "/v1/backup", "").Wants(503, "unavailable")
	if got := a.Header.Get("Content-Type"); got != "application/json" {
		t.Errorf("Content-Type of the error: got %q", got)
	}
	broken.first = strings.Repeat("x", 100_000)
	res, err := http.Get(admin.URL + "/v1/backup")
	if err == nil {
		defer res.Body.Close()
		_, err = io.Copy(io.Discard, res.Body)
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("half a backup: got %v, want the connection cut", err)
	}
	if !strings.Contains(s.Log.String(), "reading page 7") {
		t.Error("the log does not say why")
	}
}

func TestStatusAndMetrics(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	s.AdminWithToken() // a second listener registers nothing twice
	s.Login(t)
	a := admin.CallJSON(t, "GET", "/v1/status", "").Wants(200, "")
	if ready, _ := a.JSON["ready"].(map[string]any); a.Str("issuer") != s.URL || a.Str("version") != "test" || a.Str("started_at") == "" || ready["ready"] != true {
		t.Errorf("status: got %s", a.Raw)
	}
	m := admin.CallJSON(t, "GET", "/metrics", "").Wants(200, "")
	for _, part := range []string{`signet_requests_total{endpoint="token",grant_type="password",outcome="ok"} 1`, "go_goroutines ", "process_start_time_seconds ",
		`signet_requests_total{endpoint="admin.status",grant_type="",outcome="ok"} 1`} {
		if !strings.Contains(m.Raw, part) {
			t.Errorf("metrics: no %s", part)
		}
	}
	if !strings.HasPrefix(m.Header.Get("Content-Type"), "text/plain") || m.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("metrics: got headers %v", m.Header)
	}
}
