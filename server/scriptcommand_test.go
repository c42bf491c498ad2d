package server_test

import (
	"crypto/sha256"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"signet/server"
	"signet/server/servertest"
	"signet/store"
)

type scriptCommand = func(ts *testscript.TestScript, neg bool, args []string)

// scriptCommands are the commands of testdata/script, besides testscript's own.
func scriptCommands() map[string]scriptCommand {
	commands := map[string]scriptCommand{}
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "TRACE", "OPTIONS", "FOO"} {
		commands[method] = action(func(sc *script, args []string) { sc.send(sc.readRequest(append([]string{method}, args...))) })
	}
	for _, status := range []string{"200", "201", "202", "204", "304", "400", "401", "403", "404", "405", "409", "413", "415", "429", "503"} {
		commands[status] = action(func(sc *script, args []string) { sc.wantStatus(status, args) })
	}
	for name, do := range map[string]func(*script, []string){
		"server": (*script).freshServer, "client": (*script).changeClient, "user": (*script).changeUser, "secret": (*script).setSecret,
		"clock": (*script).moveClock, "store": (*script).setStore, "reopen": (*script).reopen, "drain": func(sc *script, _ []string) { sc.stage.Drain() },
		"occupy": (*script).occupy, "release": (*script).release,
		"login": (*script).login, "socket": (*script).askSocket, "admin": (*script).askAdmin, "times": (*script).times, "together": (*script).together,
		"wire": (*script).wire, "hangup": (*script).hangUp,
		"keep": (*script).keep, "served": (*script).served,
		"calls": (*script).wantCalls, "sessions": (*script).wantSessions, "answers": (*script).wantAnswers, "keys": (*script).wantKeys,
		"trail": (*script).wantTrail, "untouched": (*script).wantUntouched,
		"repeat": compute(repeatText), "upper": compute(upperText), "head": compute(headOf), "tail": compute(tailOf), "escape": compute(escapeText),
		"base64": compute(encodeText), "forge": compute((*script).forge), "sign": compute((*script).assert), "signer": compute(signerKID),
		"code": compute((*script).code), "signout": (*script).signOut,
		"browser": (*script).useBrowser, "open": (*script).open, "submit": (*script).submit, "push": (*script).push, "page": (*script).wantPage,
		"sent": (*script).sent,
	} {
		commands[name] = action(do)
	}
	for name, holds := range map[string]func(*script, []string) (bool, string){
		"header": (*script).header, "body": (*script).body, "member": (*script).member, "claim": (*script).claim, "jose": (*script).jose,
		"active": (*script).active, "same": (*script).same, "log": (*script).log, "audit": (*script).audit, "backup": (*script).backup,
	} {
		commands[name] = condition(holds)
	}
	return commands
}

// action is a command that does something or fails.
func action(do func(*script, []string)) scriptCommand {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg {
			ts.Fatalf("this command takes no !")
		}
		do(scriptOf(ts), args)
	}
}

// condition is a command that fails where something does not hold, and with ! where it holds. got is for the message.
func condition(holds func(*script, []string) (bool, string)) scriptCommand {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if ok, got := holds(scriptOf(ts), args); ok == neg {
			ts.Fatalf("got %.2000s", got)
		}
	}
}

func scriptOf(ts *testscript.TestScript) *script {
	sc := ts.Value(scriptKey{}).(*script)
	sc.ts = ts
	return sc
}

func (sc *script) send(r *servertest.Request) { sc.before, sc.last = sc.last, r.Do() }

// freshServer starts another server, which the following sections use: "server grace=0s". The first
// setting can be rs256.
func (sc *script) freshServer(settings []string) {
	sc.startServer(settings)
	for name, value := range sc.constants() {
		sc.ts.Setenv(name, value)
	}
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
		sc.gate = newGate(sc, sc.number(value))
		cfg.Passwords = sc.gate.pool
	default:
		sc.Fatalf("there is no setting %s", name)
	}
}

func (sc *script) changeClient(args []string) {
	sc.stage.SetClient(sc, args[0], func(c *store.Client) {
		for _, word := range args[1:] {
			sc.setField(reflect.ValueOf(c).Elem(), word)
		}
	})
}

// setSecret gives a client another secret: "secret web 'the secret itself'". It was made elsewhere, so it may be anything.
func (sc *script) setSecret(args []string) {
	sum := sha256.Sum256([]byte(args[1]))
	sc.stage.SetClient(sc, args[0], func(c *store.Client) {
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
			*field = text
		case *[]string:
			*field = strings.FieldsFunc(text, func(r rune) bool { return r == ',' })
		case *time.Duration:
			*field, _ = time.ParseDuration(text)
		case *time.Time:
			*field = sc.stage.Clock.Now()
		case *[]store.Secret:
			*field = nil
		default:
			sc.Fatalf("%s is not for a script to set", name)
		}
		return
	}
	sc.Fatalf("there is no field %s", name)
}

func (sc *script) changeUser(args []string) {
	path := "/v1/users/" + servertest.User
	switch args[0] {
	case "disable":
		sc.stage.socket.CallJSON(sc, "POST", path+"/disable", "").Wants(200, "")
	case "new-password":
		sc.stage.socket.CallJSON(sc, "PUT", path+"/password", `{"password":"an analytical engine, rather"}`).Wants(204, "")
	case "no-password":
		sc.changeRecord(func(u *store.User) { u.PasswordHash = "" })
	default:
		sc.changeRecord(func(u *store.User) {
			hash, err := sc.stage.Config.Passwords.Hash(sc.Context(), sc.value(strings.TrimPrefix(args[0], "password=")))
			if err != nil {
				sc.Fatal(err)
			}
			u.PasswordHash = hash
		})
	}
}

func (sc *script) changeRecord(change func(*store.User)) {
	_, err := sc.stage.Store.UpdateUser(sc.Context(), sc.stage.UserID, func(u *store.User) error { change(u); return nil })
	if err != nil {
		sc.Fatal(err)
	}
}

func (sc *script) moveClock(args []string) {
	d, err := time.ParseDuration(args[0])
	if err != nil {
		sc.Fatal(err)
	}
	sc.stage.Move(sc, d)
}

func (sc *script) setStore(args []string) {
	sc.stage.store.down.Store(args[0] == "down")
	if args[0] == "down" && sc.stage.store.Ping(sc.Context()) == nil {
		sc.Fatal("the store is not down")
	}
}

// login sets $at and $rt to the tokens of a good login: "login", "login as other scope=profile".
func (sc *script) login(args []string) {
	who := servertest.Web
	if len(args) > 1 && args[0] == "as" {
		who, args = args[1], args[2:]
	}
	sc.send(sc.readRequest(append([]string{"POST", "/token", "as", who, "grant_type=password", "username=ada", "password=" + servertest.Password}, args...)))
	if sc.last.Status != 200 {
		sc.Fatalf("got %d %s", sc.last.Status, sc.last.Raw)
	}
	sc.ts.Setenv("at", sc.last.Str("access_token"))
	sc.ts.Setenv("rt", sc.last.Str("refresh_token"))
}

// keep sets a variable to a member of the servertest.Answer, or to a header: "keep next refresh_token", "keep tag ETag".
func (sc *script) keep(args []string) {
	name, from := args[0], args[1]
	value := sc.last.Str(from)
	if value == "" {
		value = sc.last.Header.Get(from)
	}
	if value == "" {
		sc.Fatalf("the answer has no %s: %s", from, sc.last.Raw)
	}
	sc.ts.Setenv(name, value)
}

// askSocket asks the admin socket: "socket GET /v1/clients", with the body as a third argument.
func (sc *script) askSocket(args []string) { sc.askOperator(sc.stage.socket, "-", args) }

// askAdmin asks the admin listener on TCP: "admin TOKEN GET /v1/clients", with "-" for no token.
func (sc *script) askAdmin(args []string) { sc.askOperator(sc.stage.tcp, args[0], args[1:]) }

func (sc *script) askOperator(listener *servertest.Server, token string, args []string) {
	body := ""
	if len(args) > 2 {
		body = args[2]
	}
	r := listener.CallJSON(sc, args[0], args[1], body)
	if token != "-" {
		r.Bearer(token)
	}
	sc.send(r)
}

// times sends one request many times at once: "times 10 POST /token …".
func (sc *script) times(args []string) {
	r := sc.readRequest(args[1:])
	sc.many = make([]servertest.Answer, sc.number(args[0]))
	var all sync.WaitGroup
	for i := range sc.many {
		one := *r
		one.Header = r.Header.Clone()
		all.Go(func() { sc.many[i] = one.Do() })
	}
	all.Wait()
	sc.last = sc.many[0]
}

// together asks the admin socket for the same many times at once; each must be done or refused.
func (sc *script) together(args []string) {
	sc.many = make([]servertest.Answer, sc.number(args[0]))
	var all sync.WaitGroup
	for i := range sc.many {
		all.Go(func() { sc.many[i] = sc.stage.socket.CallJSON(sc, args[1], args[2], "").Do() })
	}
	all.Wait()
	for _, a := range sc.many {
		if a.Status != 202 && a.Status != 409 {
			sc.Fatalf("got %d %s", a.Status, a.Raw)
		}
	}
}
