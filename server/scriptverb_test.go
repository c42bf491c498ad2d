package server_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"signet/server"
	"signet/server/servertest"
	"signet/store"
)

// verbs are the words a line can begin with, besides a request and an answer.
var verbs map[string]func(sc *script, rest string, more []scriptLine)

func init() {
	verbs = map[string]func(sc *script, rest string, more []scriptLine){
		"server": (*script).freshServer, "slow": func(*script, string, []scriptLine) {}, "client": (*script).changeClient, "user": (*script).changeUser,
		"clock": (*script).moveClock, "store": (*script).setStore, "drain": func(sc *script, _ string, _ []scriptLine) { sc.stage.Drain() },
		"login": (*script).login, "keep": (*script).keep, "socket": (*script).askSocket, "admin": (*script).askAdmin, "wire": (*script).wire, "hang": (*script).hangUp, "secret": (*script).setSecret, "sign": (*script).signAssertion, "times": (*script).times,
		"header": (*script).wantHeader, "no": (*script).wantNoHeader, "body": (*script).wantBody, "same": (*script).wantSame, "other": (*script).wantOther,
		"claim": (*script).wantClaim, "jose": (*script).wantJOSE, "active": (*script).wantActive, "inactive": (*script).wantInactive,
		"log": (*script).wantLog, "audit": (*script).wantAudit, "calls": (*script).wantCalls, "untouched": (*script).wantUntouched,
		"answers": (*script).wantAnswers, "sessions": (*script).wantSessions, "occupy": (*script).occupy, "release": (*script).release,
		"together": (*script).together, "reopen": (*script).reopen, "backup": (*script).wantBackup, "keys": (*script).wantKeys, "trail": (*script).wantTrail, "member": (*script).wantMember,
	}
}

// freshServer gives the section a server of its own, which it may change as it likes.
func (sc *script) freshServer(rest string, _ []scriptLine) {
	settings := sc.words(rest)
	sc.shared = false
	sc.stage = newStage(sc.t, func(cfg *server.Config) {
		cfg.Throttle = server.ThrottleConfig{}
		for _, setting := range settings {
			sc.set(cfg, setting)
		}
	})
}

func (sc *script) set(cfg *server.Config, setting string) {
	name, value, _ := strings.Cut(setting, "=")
	switch name {
	case "per_account":
		cfg.Throttle.PerAccount = sc.number(value)
	case "per_network":
		cfg.Throttle.PerNetwork = sc.number(value)
	case "per_client":
		cfg.Throttle.PerClient = sc.number(value)
	case "grace":
		cfg.Grace, _ = time.ParseDuration(value)
	case "audience":
		cfg.Audience = strings.Split(value, ",")
	case "default_client":
		cfg.DefaultClient = value
	case "hash_slots":
		sc.gate = newGate(sc.t, sc.number(value))
		cfg.Passwords = sc.gate.pool
	default:
		sc.fatalf("there is no setting %s", name)
	}
}

func (sc *script) changeClient(rest string, _ []scriptLine) {
	words := sc.words(rest)
	if sc.shared {
		sc.fatalf("this changes the server of other sections; begin with: server")
	}
	sc.stage.SetClient(sc.t, words[0], func(c *store.Client) {
		for _, word := range words[1:] {
			sc.setField(reflect.ValueOf(c).Elem(), word)
		}
	})
}

// setSecret gives a client another secret: "secret web the secret itself". It was made elsewhere, so it may be anything.
func (sc *script) setSecret(rest string, _ []scriptLine) {
	id, text, _ := strings.Cut(rest, " ")
	sum := sha256.Sum256([]byte(text))
	sc.stage.SetClient(sc.t, id, func(c *store.Client) {
		c.Secrets = []store.Secret{{Hash: sum[:], CreatedAt: sc.stage.Clock.Now()}}
	})
}

// setField sets a field by the name it has in JSON.
func (sc *script) setField(record reflect.Value, word string) {
	name, text, _ := strings.Cut(word, "=")
	for i := range record.NumField() {
		if tag, _, _ := strings.Cut(record.Type().Field(i).Tag.Get("json"), ","); tag != name {
			continue
		}
		switch field := record.Field(i).Addr().Interface().(type) {
		case *bool:
			*field = text == "true"
		case *string:
			*field = sc.expand(text)
		case *[]string:
			*field = strings.FieldsFunc(text, func(r rune) bool { return r == ',' })
		case *time.Duration:
			*field, _ = time.ParseDuration(text)
		case *time.Time:
			*field = sc.stage.Clock.Now()
		case *[]store.Secret:
			*field = nil
		default:
			sc.fatalf("%s is not for a script to set", name)
		}
		return
	}
	sc.fatalf("there is no field %s", name)
}

func (sc *script) changeUser(rest string, _ []scriptLine) {
	if sc.shared {
		sc.fatalf("this changes the server of other sections; begin with: server")
	}
	path := "/v1/users/" + servertest.User
	switch rest {
	case "disabled":
		adminCall(sc.t, sc.stage.socket, "POST", path+"/disable", "").wants(200, "")
	case "gets a new password":
		adminCall(sc.t, sc.stage.socket, "PUT", path+"/password", `{"password":"an analytical engine, rather"}`).wants(204, "")
	case "has no password":
		sc.changeRecord(func(u *store.User) { u.PasswordHash = "" })
	default:
		sc.changeRecord(func(u *store.User) {
			hash, err := sc.stage.Config.Passwords.Hash(sc.t.Context(), sc.value(strings.TrimPrefix(rest, "password=")))
			if err != nil {
				sc.fatalf("%v", err)
			}
			u.PasswordHash = hash
		})
	}
}

func (sc *script) changeRecord(change func(*store.User)) {
	_, err := sc.stage.Store.UpdateUser(sc.t.Context(), sc.stage.UserID, func(u *store.User) error { change(u); return nil })
	if err != nil {
		sc.fatalf("%v", err)
	}
}

func (sc *script) moveClock(rest string, _ []scriptLine) {
	d, err := time.ParseDuration(rest)
	if err != nil || sc.shared {
		sc.fatalf("%v; only a section with a server of its own moves the clock", err)
	}
	sc.stage.Move(sc.t, d)
}

func (sc *script) setStore(rest string, _ []scriptLine) {
	sc.stage.store.down.Store(rest == "down")
	if rest == "down" && sc.stage.store.Ping(sc.t.Context()) == nil {
		sc.fatalf("the store is not down")
	}
}

// login is a good one, for what the section is about: it leaves {at} and {rt}.
func (sc *script) login(rest string, _ []scriptLine) {
	who := servertest.Web
	if after, ok := strings.CutPrefix(rest, "as "); ok {
		who, rest, _ = strings.Cut(after, " ")
	}
	line := "POST /token as " + who + " grant_type=password username=ada password={password} " + rest
	a := sc.readRequest(line, nil).do()
	if a.Status != 200 {
		sc.fatalf("got %d %s", a.Status, a.Raw)
	}
	sc.vars["at"], sc.vars["rt"] = a.str("access_token"), a.str("refresh_token")
	sc.before, sc.last = sc.last, a
}

// keep remembers a member of the answer: "keep next refresh_token", or a header: "keep tag ETag".
func (sc *script) keep(rest string, _ []scriptLine) {
	name, from, _ := strings.Cut(rest, " ")
	value := sc.last.str(from)
	if value == "" {
		value = sc.last.Header.Get(from)
	}
	if value == "" {
		sc.fatalf("the answer has no %s: %s", from, sc.last.Raw)
	}
	sc.vars[name] = value
}

func (sc *script) askSocket(rest string, _ []scriptLine) { sc.askOperator(sc.stage.socket, "", rest) }

// askAdmin asks the admin listener on TCP: "admin TOKEN GET /v1/clients", with "-" for no token.
func (sc *script) askAdmin(rest string, _ []scriptLine) {
	token, rest, _ := strings.Cut(rest, " ")
	sc.askOperator(sc.stage.tcp, token, rest)
}

func (sc *script) askOperator(listener *servertest.Server, token, rest string) {
	method, rest, _ := strings.Cut(rest, " ")
	path, body, _ := strings.Cut(rest, " ")
	r := adminCall(sc.t, listener, method, sc.expand(path), sc.expand(body))
	if token != "" && token != "-" {
		r.set("Authorization", "Bearer "+sc.expand(token))
	}
	sc.before, sc.last = sc.last, r.do()
}

// times sends one request many times at once: "times 10 POST /token …".
func (sc *script) times(rest string, more []scriptLine) {
	count, line, _ := strings.Cut(rest, " ")
	r := sc.readRequest(line, more)
	sc.many = make([]answer, sc.number(count))
	var all sync.WaitGroup
	for i := range sc.many {
		one := *r
		one.header = r.header.Clone()
		all.Go(func() { sc.many[i] = one.do() })
	}
	all.Wait()
	sc.last = sc.many[0]
}

func (sc *script) answered(status, code string) {
	sc.t.Helper()
	if got := fmt.Sprint(sc.last.Status); got != status || sc.last.str("error") != code {
		sc.errorf("got %s %s", got, sc.last.Raw)
	}
}

func (sc *script) wantAnswers(rest string, _ []scriptLine) {
	got := map[string]int{}
	for _, a := range sc.many {
		got[fmt.Sprint(a.Status)]++
	}
	for _, want := range strings.Fields(rest) {
		count, status, _ := strings.Cut(want, "x")
		if got[status] != sc.number(count) {
			sc.errorf("got %v", got)
		}
	}
}

// wantSame compares: "same answer" with the one before, "same NAME" a member with what was kept,
// "same MEMBER everywhere" among many.
func (sc *script) wantSame(rest string, _ []scriptLine) {
	if rest == "answer" {
		if sc.last.Status != sc.before.Status || sc.last.Raw != sc.before.Raw || !sameHeaders(sc.last.Header, sc.before.Header) {
			sc.errorf("got %d %s %v, before %d %s %v", sc.last.Status, sc.last.Raw, sc.last.Header, sc.before.Status, sc.before.Raw, sc.before.Header)
		}
		return
	}
	if member, ok := strings.CutSuffix(rest, " everywhere"); ok {
		for _, a := range sc.many {
			if a.str(member) != sc.many[0].str(member) {
				sc.errorf("they differ")
			}
		}
		return
	}
	member, kept, _ := strings.Cut(rest, " ")
	if sc.last.str(member) != sc.variable(kept) {
		sc.errorf("it differs")
	}
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

func (sc *script) wantOther(rest string, _ []scriptLine) {
	member, kept, _ := strings.Cut(rest, " ")
	if value := sc.last.str(member); value == "" || value == sc.variable(kept) {
		sc.errorf("got the same, or none: %s", sc.last.Raw)
	}
}

// wantHeader: "header Allow: POST, OPTIONS", with * for some value or for the rest of one.
func (sc *script) wantHeader(rest string, _ []scriptLine) {
	name, want, _ := strings.Cut(rest, ": ")
	got := strings.Join(sc.last.Header.Values(name), " | ")
	begin, open := strings.CutSuffix(sc.expand(want), "*")
	if open && (got == "" || !strings.HasPrefix(got, begin)) || !open && got != begin {
		sc.errorf("got %q", got)
	}
}

func (sc *script) wantNoHeader(rest string, _ []scriptLine) {
	for _, name := range strings.Fields(strings.TrimPrefix(rest, "header ")) {
		if got := sc.last.Header.Get(name); got != "" {
			sc.errorf("got %q", got)
		}
	}
}

// wantBody: "body {...}" exactly, "body empty", "body has …", "body lacks …".
func (sc *script) wantBody(rest string, _ []scriptLine) {
	how, text, _ := strings.Cut(rest, " ")
	text = sc.expand(text)
	ok := false
	switch how {
	case "empty":
		ok = sc.last.Raw == ""
	case "has":
		ok = strings.Contains(sc.last.Raw, text)
	case "lacks":
		ok = !strings.Contains(sc.last.Raw, text)
	default:
		ok = strings.TrimSuffix(sc.last.Raw, "\n") == rest
	}
	if !ok {
		sc.errorf("got %s", sc.last.Raw)
	}
}

// wantMember: "member scope profile orders:read".
func (sc *script) wantMember(rest string, _ []scriptLine) {
	name, want, _ := strings.Cut(rest, " ")
	if got := fmt.Sprint(sc.last.JSON[name]); got != sc.value(want) {
		sc.errorf("got %s", got)
	}
}

// wantClaim looks into the access token of the answer, or of {at} where it has none: "claim aud x",
// "claim exp there", "claim sid missing".
func (sc *script) wantClaim(rest string, _ []scriptLine) { sc.wantInToken(rest, 1) }
func (sc *script) wantJOSE(rest string, _ []scriptLine)  { sc.wantInToken(rest, 0) }

func (sc *script) wantInToken(rest string, part int) {
	token := sc.last.str("access_token")
	if token == "" {
		token = sc.variable("at")
	}
	header, claims := decodeJWT(sc.t, token)
	name, want, _ := strings.Cut(rest, " ")
	value, there := []map[string]any{header, claims}[part][name]
	got := fmt.Sprint(value)
	switch want {
	case "there":
		if !there {
			sc.errorf("it is missing")
		}
	case "missing":
		if there {
			sc.errorf("got %s", got)
		}
	default:
		if n, isNumber := value.(float64); isNumber {
			got = fmt.Sprintf("%.0f", n)
		}
		if got != sc.value(want) {
			sc.errorf("got %s", got)
		}
	}
}

func (sc *script) wantActive(rest string, _ []scriptLine) {
	for _, word := range sc.words(rest) {
		if !active(sc.t, sc.stage.Server, sc.expand(word)) {
			sc.errorf("%s is not", word)
		}
	}
}

func (sc *script) wantInactive(rest string, _ []scriptLine) {
	for _, word := range sc.words(rest) {
		if active(sc.t, sc.stage.Server, sc.expand(word)) {
			sc.errorf("%s is active", word)
		}
	}
}

// wantLog: "log has …", "log lacks …", of all that was logged; "log says …" of the latest request only.
func (sc *script) wantLog(rest string, _ []scriptLine) {
	how, text, _ := strings.Cut(rest, " ")
	text = sc.expand(text)
	log := sc.stage.Log.String()
	if how == "says" {
		log = linesOf(log, sc.last.Header.Get("X-Request-Id"))
	}
	if strings.Contains(log, text) == (how == "lacks") {
		sc.errorf("the log: %s", linesOf(log, sc.last.Header.Get("X-Request-Id")))
	}
}

// wantAudit: "audit login refused" of the latest request; "audit refresh_reuse reuse".
func (sc *script) wantAudit(rest string, _ []scriptLine) {
	kind, outcome, _ := strings.Cut(rest, " ")
	id := sc.last.Header.Get("X-Request-Id")
	var got []string
	for line := range strings.SplitSeq(linesOf(sc.stage.Log.String(), id), "\n") {
		if strings.Contains(line, `"msg":"audit"`) {
			got = append(got, line)
		}
	}
	if rest == "nothing" {
		if len(got) > 0 {
			sc.errorf("got %v", got)
		}
		return
	}
	if !slices.ContainsFunc(got, func(line string) bool {
		return strings.Contains(line, fmt.Sprintf(`"type":%q,"outcome":%q`, kind, outcome))
	}) {
		sc.errorf("got %v", got)
	}
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
func (sc *script) wantCalls(rest string, _ []scriptLine) {
	if got := sc.stage.store.since(); got != sc.number(rest) {
		sc.errorf("got %d: %v", got, sc.stage.store.names())
	}
}

// wantSessions is how many sessions the user has.
func (sc *script) wantSessions(rest string, _ []scriptLine) {
	all, err := sc.stage.Store.ListSessions(sc.t.Context(), sc.stage.UserID, sc.stage.Clock.Now(), sc.stage.Config.Lifetimes)
	if err != nil || len(all) != sc.number(rest) {
		sc.errorf("got %d, %v", len(all), err)
	}
}

// together asks the operator's socket for the same many times at once; each must be done or refused.
func (sc *script) together(rest string, _ []scriptLine) {
	count, rest, _ := strings.Cut(rest, " ")
	method, path, _ := strings.Cut(rest, " ")
	sc.many = make([]answer, sc.number(count))
	var all sync.WaitGroup
	for i := range sc.many {
		all.Go(func() { sc.many[i] = adminCall(sc.t, sc.stage.socket, method, path, "").do() })
	}
	all.Wait()
	for _, a := range sc.many {
		if a.Status != http.StatusAccepted && a.Status != http.StatusConflict {
			sc.errorf("got %d %s", a.Status, a.Raw)
		}
	}
}

// wantKeys: of each algorithm one key signs, and one is ready to.
func (sc *script) wantKeys(string, []scriptLine) {
	states := map[string]int{}
	for _, k := range sc.stage.Keys.Keys() {
		states[k.Alg+" "+string(k.State)]++
	}
	for _, alg := range sc.stage.Keys.Algorithms() {
		if states[alg+" active"] != 1 || states[alg+" pending"] != 1 {
			sc.errorf("got %v", states)
		}
	}
}

// wantBackup looks through all bytes that the store keeps: "backup lacks {secret}".
func (sc *script) wantBackup(rest string, _ []scriptLine) {
	how, text, _ := strings.Cut(rest, " ")
	bytes := adminCall(sc.t, sc.stage.socket, "GET", "/v1/backup", "").wants(200, "").Raw
	if !strings.Contains(bytes, servertest.User) {
		sc.fatalf("this is no backup")
	}
	if strings.Contains(bytes, sc.value(text)) == (how == "lacks") {
		sc.errorf("it does not")
	}
}

// wantTrail: "trail login refused", the newest event of that type that the store has, once it has it.
func (sc *script) wantTrail(rest string, _ []scriptLine) {
	kind, outcome, _ := strings.Cut(rest, " ")
	var e store.Event
	for deadline := time.Now().Add(5 * time.Second); time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		if e = trail(sc.t, sc.stage.Server, kind); e.Outcome == outcome {
			return
		}
	}
	sc.errorf("got %+v", e)
}
