package audit

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/netip"
	"reflect"
	"strings"
	"testing"
	"time"

	"signet/store"
)

var (
	at     = time.Date(2026, 3, 4, 12, 0, 0, 123456789, time.UTC)
	secret = [32]byte{1, 2, 3}
)

const (
	ownInstall = "INSTALLAAAAAAAAAAAAAAAAAAA"
)

// signedLog writes events as a replica does and returns the lines.
func signedLog(t testing.TB, install, replica string, secret [32]byte, events ...store.Event) []string {
	t.Helper()
	var out bytes.Buffer
	key := chainKey(secret)
	s := Signer{key: func() []byte { return key }, install: install, replica: replica, log: slog.New(slog.NewJSONHandler(&out, nil))}
	for _, e := range events {
		s.write(e)
	}
	lines := strings.SplitAfter(out.String(), "\n")
	return lines[:len(lines)-1]
}

func someEvents(n int) (list []store.Event) {
	for i := range n {
		list = append(list, store.Event{At: at.Add(time.Duration(i) * time.Second), Type: store.EventUserDisable, Outcome: store.OutcomeOK,
			Subject: fmt.Sprint("usr_", i), RequestID: fmt.Sprint("r", i), Detail: map[string]string{"username": fmt.Sprint("user", i)}})
	}
	return list
}

func TestSignedLogReadsBack(t *testing.T) {
	full := store.Event{At: at, Type: store.EventLogin, Outcome: store.OutcomeRefused, Actor: "admin", ClientID: "web", Subject: "usr_a", SessionID: "sid",
		KeyID: "kid", RequestID: "r", Address: "192.0.2.1", Detail: map[string]string{"reason": "<\"quoted\"> & \x01 \u2028 é", "username": "a\xffb"}}
	want := full
	want.Detail = map[string]string{"reason": full.Detail["reason"], "username": "a\uFFFDb"}
	r := NewLogReader([][32]byte{{9}, secret}, ownInstall, at)
	lines := signedLog(t, ownInstall, "one", secret, full)
	line, ok := r.Parse([]byte(lines[0]))
	if !ok || line.Trust != Signed || !reflect.DeepEqual(line.Event, want) || line.Replica != "one" || line.Number != 1 {
		t.Errorf("got %+v, %v\nwant %+v", line, ok, want)
	}
}

// TestTamperedLogs: what a log can have gone through, and what is found out.
func TestTamperedLogs(t *testing.T) {
	own := signedLog(t, ownInstall, "one", secret, someEvents(6)...)
	second := signedLog(t, ownInstall, "two", secret, someEvents(3)...)
	change := func(i int, old, new string) string {
		t.Helper()
		if !strings.Contains(own[i], old) {
			t.Fatalf("line %d has no %s: %s", i, old, own[i])
		}
		return strings.Replace(own[i], old, new, 1)
	}
	join := func(lines ...string) string { return strings.Join(lines, "") }
	future := someEvents(1)[0]
	future.At = time.Date(9998, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		name      string
		log       string
		want      string // of each line
		gaps      []Gap
		reordered int
	}{
		{"as written", join(own...), "signed signed signed signed signed signed", nil, 0},
		{"two replicas, interleaved", join(own[0], second[0], own[1], second[1], second[2], own[2]), "signed signed signed signed signed signed", nil, 0},
		{"a line of prose and one of the access log between", join(own[0], "starting\n", `{"time":"x","msg":"token","status":200}`+"\n", own[1]), "signed signed", nil, 0},
		{"forged: another sub", join(own[0], change(1, "usr_1", "usr_9"), own[2]), "signed forged signed", []Gap{{"one", 2, 2}}, 0},
		{"forged: another type", join(change(0, "user.disable", "user.enable")), "forged", nil, 0},
		{"forged: another time", join(change(0, "12:00:00", "13:00:00")), "forged", nil, 0},
		{"forged: a member more", join(change(0, `"type"`, `"jti":"x","type"`)), "forged", nil, 0},
		{"forged: a member less", join(change(0, `"username":"user0",`, ``)), "forged", nil, 0},
		{"forged: renumbered", join(change(0, `"n":"1"`, `"n":"7"`)), "forged", nil, 0},
		{"forged: a number spelt otherwise", join(change(0, `"n":"1"`, `"n":"01"`)), "forged", nil, 0},
		{"forged: of another replica", join(change(0, `"replica":"one"`, `"replica":"two"`)), "forged", nil, 0},
		{"forged: no MAC but the rest", join(change(0, `,"mac":`, `,"nomac":`)), "forged", nil, 0},
		{"forged: under another key", join(signedLog(t, ownInstall, "one", [32]byte{4}, someEvents(1)...)...), "forged", nil, 0},
		{"a member twice", join(change(0, `"sub":"usr_0"`, `"sub":"usr_0","sub":"usr_9"`)), "", nil, 0},
		{"unsigned", `{"time":"x","level":"INFO","msg":"audit","type":"client.enable","outcome":"ok","at":"2026-03-04T12:00:00Z","client_id":"web"}` + "\n", "unsigned", nil, 0},
		{"listed", `{"seq":7,"at":"2026-03-04T12:00:00Z","type":"client.enable","outcome":"ok","client_id":"web","detail":{"a":"b"}}` + "\n", "unsigned", nil, 0},
		{"cut at the beginning", join(own[3:]...), "signed signed signed", []Gap{{"one", 1, 3}}, 0},
		{"cut in the middle", join(own[0], own[4], own[5]), "signed signed signed", []Gap{{"one", 2, 4}}, 0},
		{"two cuts", join(own[0], own[2], own[5]), "signed signed signed", []Gap{{"one", 2, 2}, {"one", 4, 5}}, 0},
		{"two lines glued", join(strings.TrimSuffix(own[0], "\n"), own[1]), "", nil, 0},
		{"half a line", join(own[0], own[1][:len(own[1])/2]), "signed", nil, 0},
		{"reordered", join(own[0], own[3], own[1], own[2]), "signed signed signed signed", nil, 2},
		{"backwards", join(own[2], own[1], own[0]), "signed signed signed", nil, 2},
		{"duplicated", join(own[0], own[1], own[0], own[1]), "signed signed duplicate duplicate", nil, 0},
		{"foreign", join(signedLog(t, "ANOTHERINSTALL", "one", secret, someEvents(1)...)...), "foreign", nil, 0},
		{"foreign, with the same beginning of its id", join(signedLog(t, ownInstall[:shortInstall]+"X", "one", secret, someEvents(1)...)...), "forged", nil, 0},
		{"future, unsigned", `{"msg":"audit","type":"user.disable","outcome":"ok","at":"9998-01-01T00:00:00Z","sub":"usr_x"}` + "\n", "future date", nil, 0},
		{"future, listed", `{"seq":7,"at":"9998-01-01T00:00:00Z","type":"user.disable","outcome":"ok","sub":"usr_x"}` + "\n", "future date", nil, 0},
		{"future, signed", join(signedLog(t, ownInstall, "one", secret, future)...), "future date", nil, 0},
		{"a date that is none", `{"msg":"audit","type":"user.disable","outcome":"ok","at":"99999-01-01T00:00:00Z"}` + "\n", "", nil, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := NewLogReader([][32]byte{secret}, ownInstall, at.Add(time.Minute))
			var got []string
			if err := r.Read(strings.NewReader(c.log), func(l Line) error { got = append(got, l.Trust.String()); return nil }); err != nil {
				t.Fatal(err)
			}
			if all := strings.Join(got, " "); all != c.want {
				t.Errorf("got %s, want %s", all, c.want)
			}
			report := r.Report()
			if !reflect.DeepEqual(report.Gaps, c.gaps) || report.Reordered != c.reordered || report.Unchained != 0 {
				t.Errorf("got %+v, want gaps %v and %d reordered", report, c.gaps, c.reordered)
			}
		})
	}
}

// TestLogInSeveralFiles: in whatever order they come, they make one log.
func TestLogInSeveralFiles(t *testing.T) {
	own := signedLog(t, ownInstall, "one", secret, someEvents(9)...)
	r := NewLogReader([][32]byte{secret}, ownInstall, at.Add(time.Minute))
	for _, part := range [][]string{own[6:], own[:3], own[3:6]} {
		if err := r.Read(strings.NewReader(strings.Join(part, "")), func(Line) error { return nil }); err != nil {
			t.Fatal(err)
		}
	}
	if report := r.Report(); len(report.Gaps) != 0 || report.Reordered != 0 || report.Unchained != 0 || report.Lines[Signed] != 9 {
		t.Errorf("got %+v, want nine lines of one chain", report)
	}
}

// TestForkedChain: two processes that write under one replica id, as a copy of a machine would, are found out.
func TestForkedChain(t *testing.T) {
	a := signedLog(t, ownInstall, "one", secret, someEvents(2)...)
	other := someEvents(2)
	other[0].Subject = "usr_other"
	b := signedLog(t, ownInstall, "one", secret, other...)
	r := NewLogReader([][32]byte{secret}, ownInstall, at.Add(time.Minute))
	if err := r.Read(strings.NewReader(a[0]+b[1]), func(Line) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if report := r.Report(); report.Unchained != 1 {
		t.Errorf("got %+v, want one line that does not follow the one before", report)
	}
}

// FuzzReadLog: no line, and no change of a signed line, panics or is taken for signed.
func FuzzReadLog(f *testing.F) {
	own := signedLog(f, ownInstall, "one", secret, someEvents(2)...)
	f.Add([]byte(own[0]))
	f.Add([]byte(strings.Replace(own[0], "usr_0", "usr_1", 1)))
	f.Add([]byte(`{"seq":1,"at":"2026-03-04T12:00:00Z","type":"login"}`))
	f.Add([]byte(`{"msg":"audit","n":1e3,"mac":null,"at":"2026-03-04T12:00:00Z","type":"x"}`))
	var honest map[string]any
	if err := json.Unmarshal([]byte(own[0]), &honest); err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		r := NewLogReader([][32]byte{secret}, ownInstall, at.Add(time.Minute))
		line, ok := r.Parse(text)
		if !ok || line.Trust != Signed {
			return
		}
		var read map[string]any
		if err := json.Unmarshal(text, &read); err != nil {
			t.Fatalf("signed, and no JSON: %q", text)
		}
		for _, name := range []string{"time", "level", "msg"} { // not signed
			delete(read, name)
			delete(honest, name)
		}
		if !reflect.DeepEqual(read, honest) && line.Number == 1 {
			for name, value := range read {
				if _, isText := value.(string); isText && honest[name] != value {
					t.Fatalf("taken for signed: %q", text)
				}
			}
		}
	})
}

type discard struct{ store.Audit }

func (discard) AppendEvents(context.Context, []store.Event) error { return nil }

// BenchmarkRefusal compares what the door costs for a client that exists with one that does not.
func BenchmarkRefusal(b *testing.B) {
	for _, client := range []string{"", "web"} {
		b.Run("client "+client, func(b *testing.B) {
			r := New(Config{Store: discard{}, Log: slog.New(slog.DiscardHandler), Now: time.Now, Keys: [][32]byte{secret}})
			defer r.Close()
			e := store.Event{At: at, Type: store.EventClientAuth, Outcome: store.OutcomeRefused, ClientID: client}
			for b.Loop() {
				r.recordRefused(e, netip.Prefix{}, false)
			}
		})
	}
}
