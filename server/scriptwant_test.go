package server_test

import (
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"signet/server/servertest"
	"signet/store"
)

// wantStatus checks the status of the latest servertest.Answer, and its error code: "400 invalid_grant". Without a code the answer has none.
func (sc *script) wantStatus(status string, args []string) {
	code := strings.Join(args, " ")
	if got := fmt.Sprint(sc.last.Status); got != status || sc.last.Str("error") != code {
		sc.Fatalf("got %s %s", got, sc.last.Raw)
	}
}

// wantAnswers counts the answers to a request that was sent many times: "answers 10x200".
func (sc *script) wantAnswers(args []string) {
	got := map[string]int{}
	for _, a := range sc.many {
		got[fmt.Sprint(a.Status)]++
	}
	for _, want := range args {
		count, status, _ := strings.Cut(want, "x")
		if got[status] != sc.number(count) {
			sc.Fatalf("got %v", got)
		}
	}
}

// same compares: "same" the answer with the one before, "same refresh_token $kept" a member with a value, "same refresh_token
// everywhere" a member of many answers.
func (sc *script) same(args []string) (bool, string) {
	if len(args) == 0 {
		return sc.last.Status == sc.before.Status && sc.last.Raw == sc.before.Raw && sameHeaders(sc.last.Header, sc.before.Header),
			fmt.Sprintf("%d %s %v, before %d %s %v", sc.last.Status, sc.last.Raw, sc.last.Header, sc.before.Status, sc.before.Raw, sc.before.Header)
	}
	member, want := args[0], args[1]
	if want == "everywhere" {
		return !slices.ContainsFunc(sc.many, func(a servertest.Answer) bool { return a.Str(member) != sc.many[0].Str(member) }), "answers that differ"
	}
	value := sc.last.Str(member)
	if value == "" || want == "" {
		sc.Fatalf("there is no %s to compare: %s", member, sc.last.Raw)
	}
	return value == want, sc.last.Raw
}

func sameHeaders(a, b http.Header) bool {
	strip := func(h http.Header) http.Header {
		h = h.Clone()
		h.Del("Date")
		h.Del("X-Request-Id")
		return h
	}
	return reflect.DeepEqual(strip(a), strip(b))
}

// header checks a header of the answer: "header Allow 'POST, OPTIONS'", with * at the end for the rest of a value. Without a value
// the header must be there.
func (sc *script) header(args []string) (bool, string) {
	got := strings.Join(sc.last.Header.Values(args[0]), " | ")
	if len(args) == 1 {
		return got != "", got
	}
	begin, open := strings.CutSuffix(args[1], "*")
	return open && got != "" && strings.HasPrefix(got, begin) || !open && got == begin, got
}

// body checks that the answer's body has a text, or is one: "body -is '{"active":false}'".
func (sc *script) body(args []string) (bool, string) {
	if args[0] == "-is" {
		return strings.TrimSuffix(sc.last.Raw, "\n") == args[1], sc.last.Raw
	}
	return strings.Contains(sc.last.Raw, args[0]), sc.last.Raw
}

// member checks a member of the JSON: "member scope 'profile orders:read'".
func (sc *script) member(args []string) (bool, string) {
	got := fmt.Sprint(sc.last.JSON[args[0]])
	return got == sc.value(args[1]), got
}

// claim and jose look into the access token of the servertest.Answer, or into $at where it has none: "claim aud x", "claim exp".
func (sc *script) claim(args []string) (bool, string) { return sc.inToken(args, 1) }
func (sc *script) jose(args []string) (bool, string)  { return sc.inToken(args, 0) }

func (sc *script) inToken(args []string, part int) (bool, string) {
	token := sc.last.Str("access_token")
	if token == "" {
		token = sc.ts.Getenv("at")
	}
	header, claims := servertest.DecodeJWT(sc, token)
	value, there := []map[string]any{header, claims}[part][args[0]]
	got := fmt.Sprint(value)
	if len(args) == 1 {
		return there, got
	}
	if n, isNumber := value.(float64); isNumber {
		got = fmt.Sprintf("%.0f", n)
	}
	return got == sc.value(args[1]), got
}

// active asks introspection about tokens. With ! the answer to each is exactly {"active":false}.
func (sc *script) active(args []string) (bool, string) {
	if len(args) == 0 {
		sc.Fatal("usage: active TOKEN…")
	}
	first := sc.stage.Server.Active(sc, sc.value(args[0]))
	for i, token := range args[1:] {
		if sc.stage.Server.Active(sc, sc.value(token)) != first {
			sc.Fatalf("token %d: active %v, the first %v", i+2, !first, first)
		}
	}
	return first, fmt.Sprintf("active %v", first)
}

// log looks into what was logged of the latest request, with -all into everything.
func (sc *script) log(args []string) (bool, string) {
	lines := linesOf(sc.stage.Log.String(), sc.last.Header.Get("X-Request-Id"))
	if args[0] == "-all" {
		return strings.Contains(sc.stage.Log.String(), args[1]), lines
	}
	return strings.Contains(lines, args[0]), lines
}

// audit looks for an audit event of the latest request: "audit refresh_reuse reuse". "! audit" means that there is none.
func (sc *script) audit(args []string) (bool, string) {
	var got []string
	for line := range strings.SplitSeq(linesOf(sc.stage.Log.String(), sc.last.Header.Get("X-Request-Id")), "\n") {
		if strings.Contains(line, `"msg":"audit"`) {
			got = append(got, line)
		}
	}
	if len(args) == 0 {
		return len(got) > 0, fmt.Sprint(got)
	}
	return slices.ContainsFunc(got, func(line string) bool {
		return strings.Contains(line, fmt.Sprintf(`"type":%q,"outcome":%q`, args[0], args[1]))
	}), fmt.Sprint(got)
}

// linesOf are the lines of the log that are about one request.
func linesOf(log, id string) string {
	var found []string
	for line := range strings.SplitSeq(log, "\n") {
		if id != "" && strings.Contains(line, `"request_id":"`+id+`"`) {
			found = append(found, line)
		}
	}
	return strings.Join(found, "\n")
}

// wantCalls is how often the latest request asked the store.
func (sc *script) wantCalls(args []string) {
	if got := sc.stage.store.since(); got != sc.number(args[0]) {
		sc.Fatalf("got %d: %v", got, sc.stage.store.names())
	}
}

// wantSessions is how many sessions the user has.
func (sc *script) wantSessions(args []string) {
	all, err := sc.stage.Store.ListSessions(sc.Context(), sc.stage.UserID, sc.stage.Clock.Now(), sc.stage.Config.Lifetimes)
	if err != nil || len(all) != sc.number(args[0]) {
		sc.Fatalf("got %d, %v", len(all), err)
	}
}

// wantKeys checks that of each algorithm one key signs, and one is ready to.
func (sc *script) wantKeys([]string) {
	states := map[string]int{}
	for _, k := range sc.stage.Keys.Keys() {
		states[k.Alg+" "+string(k.State)]++
	}
	for _, alg := range sc.stage.Keys.Algorithms() {
		if states[alg+" active"] != 1 || states[alg+" pending"] != 1 {
			sc.Fatalf("got %v", states)
		}
	}
}

// backup looks through all bytes that the store keeps: "! backup $secret".
func (sc *script) backup(args []string) (bool, string) {
	bytes := sc.stage.socket.CallJSON(sc, "GET", "/v1/backup", "").Wants(200, "").Raw
	if !strings.Contains(bytes, servertest.User) {
		sc.Fatal("this is no backup")
	}
	return strings.Contains(bytes, sc.value(args[0])), "the opposite"
}

// wantTrail waits for the newest event of a type in the store: "trail login refused".
func (sc *script) wantTrail(args []string) {
	var e store.Event
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if e = sc.stage.Server.AwaitEvent(sc, args[0]); e.Outcome == args[1] {
			return
		}
	}
	sc.Fatalf("got %+v", e)
}
