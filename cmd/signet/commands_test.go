package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"signet/cmd/signet/internal/cli"
	"signet/server/admin/api"
)

// runWith runs one command line against the server at url, and returns what it exits with and writes.
func runWith(t *testing.T, url string, args ...string) (code int, out, errs string) {
	t.Helper()
	var o, e bytes.Buffer
	environ := []string{"SIGNET_ADMIN_URL=" + url, "SIGNET_ADMIN_TOKEN=the-token"}
	code = run(t.Context(), &cli.App{In: strings.NewReader(""), Out: &o, Err: &e, Environ: environ}, args)
	return code, o.String(), e.String()
}

func TestListReadsEveryPage(t *testing.T) {
	var asked []string
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		after := r.FormValue("after")
		asked = append(asked, after)
		next := map[string]string{"": "b", "b": "d", "d": ""}[after]
		_ = json.NewEncoder(w).Encode(map[string]any{"clients": []api.Client{{ClientSpec: api.ClientSpec{ID: after + "1"}}, {ClientSpec: api.ClientSpec{ID: after + "2"}}}, "next": next})
	}))
	defer srv.Close()
	code, out, errs := runWith(t, srv.URL, "client", "list", "-o", "json")
	if code != 0 || strings.Count(out, "client_id") != 6 || !json.Valid([]byte(out)) {
		t.Errorf("got %d %s %s", code, out, errs)
	}
	if want := []string{"", "b", "d"}; !slices.Equal(asked, want) {
		t.Errorf("asked for %q, want %q", asked, want)
	}
}

func TestListThatDoesNotEnd(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"users": []api.User{}, "next": "x"})
	}))
	defer srv.Close()
	if code, _, errs := runWith(t, srv.URL, "user", "list"); code != 1 || !strings.Contains(errs, "does not end") {
		t.Errorf("got %d %s", code, errs)
	}
}

func TestTokenIsSentAndNoRedirectFollowed(t *testing.T) {
	stranger := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		t.Errorf("a redirect was followed, with %q", r.Header.Get("Authorization"))
	}))
	defer stranger.Close()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if got := r.Header.Get("Authorization"); got != "Bearer the-token" {
			t.Errorf("got Authorization %q", got)
		}
		http.Redirect(w, r, stranger.URL, http.StatusTemporaryRedirect)
	}))
	defer srv.Close()
	code, _, errs := runWith(t, srv.URL, "keys", "list")
	if code != 1 || !strings.Contains(errs, "307") || strings.Contains(errs, "the-token") {
		t.Errorf("got %d %s", code, errs)
	}
}

func TestRefusals(t *testing.T) {
	tests := []struct {
		status     int
		body, want string
	}{
		{503, `{"error":"unavailable","message":"the store is busy; try again"}`, "signet: client show: the store is busy; try again\n"},
		{404, `{"error":"not_found","message":"x"}`, "signet: client show: there is no client \"a/b\"; `signet client list` shows them\n"},
		{500, `{"error":"internal","message":"see the log under this X-Request-Id"}`, "signet: client show: see the log under this X-Request-Id: r1\n"},
		{404, `404 page not found`, "is it the admin API of a signet server"},
		{200, `<html>`, "is it a signet server of this version?"},
	}
	for _, tt := range tests {
		srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.EscapedPath() != "/v1/clients/a%2Fb" {
				t.Errorf("got path %s", r.URL.EscapedPath())
			}
			w.Header().Set("X-Request-Id", "r1")
			w.WriteHeader(tt.status)
			_, _ = w.Write([]byte(tt.body))
		}))
		code, out, errs := runWith(t, srv.URL, "client", "show", "a/b")
		if code != exitFailed || out != "" || !strings.Contains(errs, tt.want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%d %s: got %d %q", tt.status, tt.body, code, errs)
		}
		srv.Close()
	}
}

// TestFollow sees what came before and what comes after, each once, and ends without an error.
func TestFollow(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for a second; the full suite has it")
	}
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var calls atomic.Int32
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		p := api.EventList{Next: 7}
		switch calls.Add(1) {
		case 1:
			if r.FormValue("newest") != "true" || r.FormValue("type") != "login" {
				t.Errorf("first call: %s", r.URL.RawQuery)
			}
			p.Events = []api.Event{{Seq: 6, Type: "login"}, {Seq: 7, Type: "login"}}
		case 2:
			if r.FormValue("after") != "7" || r.FormValue("newest") != "" {
				t.Errorf("second call: %s", r.URL.RawQuery)
			}
			p.Events, p.Next = []api.Event{{Seq: 9, Type: "login"}}, 9
		default:
			cancel()
		}
		_ = json.NewEncoder(w).Encode(p)
	}))
	defer srv.Close()
	var out, errs bytes.Buffer
	args := []string{"audit", "list", "--follow", "--limit", "2", "--type", "login", "--admin", srv.URL, "-o", "json"}
	if code := run(ctx, &cli.App{In: strings.NewReader(""), Out: &out, Err: &errs}, args); code != 0 {
		t.Errorf("got exit %d: %s", code, errs.String())
	}
	var seqs []uint64
	for decoder := json.NewDecoder(&out); decoder.More(); {
		var e api.Event
		if err := decoder.Decode(&e); err != nil {
			t.Fatal(err)
		}
		seqs = append(seqs, e.Seq)
	}
	if want := []uint64{6, 7, 9}; !slices.Equal(seqs, want) {
		t.Errorf("got %v, want %v", seqs, want)
	}
}

// TestBackupThatBreaksOff leaves nothing that looks like a backup.
func TestBackupThatBreaksOff(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write(bytes.Repeat([]byte("x"), 100_000))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer srv.Close()
	dir := t.TempDir()
	code, _, errs := runWith(t, srv.URL, "backup", filepath.Join(dir, "copy.db"))
	left, err := os.ReadDir(dir)
	if code != 1 || !strings.Contains(errs, "nothing was kept") || err != nil || len(left) != 0 {
		t.Errorf("got %d %s, files %v, %v", code, errs, left, err)
	}
}

// TestImportRefusesAnIDOfAnotherPart: the server sees one part at a time, and the command all of them.
func TestImportRefusesAnIDOfAnotherPart(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		out := json.NewEncoder(w)
		body, _ := io.ReadAll(r.Body)
		for n := range bytes.Count(body, []byte("\n")) {
			_ = out.Encode(api.ImportLine{Line: n + 1, Result: api.ImportCreated})
		}
		_ = out.Encode(api.ImportLine{Report: &api.Report{}})
	}))
	defer srv.Close()
	var b strings.Builder
	for i := range 5001 {
		fmt.Fprintf(&b, "{\"username\":\"u%d\",\"id\":%d}\n", i, i)
	}
	b.WriteString("{\"username\":\"another\",\"id\":\"17\"}\n{\"username\":\"id 17\"}\n")
	file := filepath.Join(t.TempDir(), "users.ndjson")
	if err := os.WriteFile(file, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := runWith(t, srv.URL, "user", "import", "--file", file)
	if code != 1 || !strings.Contains(out, "5002  another   an earlier line has the same id") || !strings.Contains(out, "5002 accepted, 1 refused") {
		t.Errorf("got %d, %.300s %s", code, out, errs)
	}
}

// TestImportReportCounts: so many refusals are listed, and all are counted. A table is sent in parts.
func TestImportReportCounts(t *testing.T) {
	parts := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		parts++
		out := json.NewEncoder(w)
		body, _ := io.ReadAll(r.Body)
		for n := range bytes.Count(body, []byte("\n")) {
			_ = out.Encode(api.ImportLine{Line: n + 1, Result: api.ImportRefused, Reason: "exists"})
		}
		_ = out.Encode(api.ImportLine{Report: &api.Report{}})
	}))
	defer srv.Close()
	file := filepath.Join(t.TempDir(), "users.ndjson")
	if err := os.WriteFile(file, []byte(strings.Repeat("{}\n", 20_001)), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := runWith(t, srv.URL, "user", "import", "--file", file)
	if code != 1 || parts < 2 || !strings.Contains(errs, "20001 of 20001 lines were refused") || !strings.Contains(out, "0 accepted, 20001 refused") || !strings.Contains(out, "19001 more") {
		t.Errorf("got %d, %d parts, %s %s", code, parts, out[max(0, len(out)-200):], errs)
	}
	_, out, _ = runWith(t, srv.URL, "user", "import", "--file", file, "-o", "json")
	if !strings.Contains(out, `"refused_count":20001`) || strings.Count(out, "exists") != api.MaxRefused {
		t.Errorf("as JSON: got %.200s", out)
	}
}

// TestImportWhoseAnswerIsCut: a part whose answer is not complete is sent again, and what the first try did counts.
func TestImportWhoseAnswerIsCut(t *testing.T) {
	if testing.Short() {
		t.Skip("it waits for seconds; the full suite has it")
	}
	t.Parallel()
	tries := 0
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		n := bytes.Count(body, []byte("\n"))
		out := json.NewEncoder(w)
		switch tries++; tries {
		case 1: // the connection breaks off
			_ = out.Encode(api.ImportLine{Line: 1, Result: api.ImportCreated, Subject: "usr_1"})
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		case 2: // the store does not answer in the middle
			_ = out.Encode(api.ImportLine{Line: 1, Result: api.ImportUnchanged, Subject: "usr_1"})
			_ = out.Encode(api.ImportLine{Error: &api.Error{Code: api.CodeUnavailable, Message: "try again"}})
		case 3:
			w.WriteHeader(http.StatusServiceUnavailable)
			_ = json.NewEncoder(w).Encode(api.NewError(api.CodeUnavailable, "try again"))
		default:
			for i := range n {
				_ = out.Encode(api.ImportLine{Line: i + 1, Result: api.ImportUnchanged, Subject: fmt.Sprint("usr_", i+1)})
			}
			_ = out.Encode(api.ImportLine{Report: &api.Report{}})
		}
	}))
	defer srv.Close()
	dir := t.TempDir()
	file, ids := filepath.Join(dir, "users.ndjson"), filepath.Join(dir, "ids.csv")
	if err := os.WriteFile(file, []byte("{\"username\":\"a\"}\n{\"username\":\"b\"}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := runWith(t, srv.URL, "user", "import", "--file", file, "--map", ids, "-o", "json")
	if code != 0 || tries != 4 || !strings.Contains(out, `"accepted":2`) || !strings.Contains(out, `"created":1,"unchanged":1`) {
		t.Errorf("got %d after %d tries: %s %s", code, tries, out, errs)
	}
	if rows, err := os.ReadFile(ids); err != nil || string(rows) != "username,sub,id\na,usr_1,\nb,usr_2,\n" {
		t.Errorf("got the map %q, %v", rows, err)
	}
	tries = 0
	code, _, errs = runWith(t, srv.URL, "user", "import", "--file", file, "--wait", "1ms", "--map", filepath.Join(dir, "other.csv"))
	if left, _ := filepath.Glob(filepath.Join(dir, "*other*")); code != 1 || !strings.Contains(errs, "start it once more") || len(left) > 0 {
		t.Errorf("without time to wait: got %d %s, files %v", code, errs, left)
	}
}
