package server_test

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"flag"
	"fmt"
	"iter"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"pgregory.net/rapid"

	"signet/keys"
	"signet/keys/jose"
	"signet/keys/masterkey"
	"signet/server"
	"signet/server/oauth"
	"signet/server/password"
	"signet/server/servertest"
	"signet/server/signin"
	"signet/store"
	"signet/store/bolt"
	"signet/store/recovery"
	"signet/store/redis"
	"signet/store/redis/redistest"
)

// The model of this test is what an app and an operator were told. Whatever is done in between, at which
// replica, with which clock, cancelled, repeated or beside something else:
//
//   - What was acknowledged as ended never works again.
//   - Nobody is signed out by what happened to somebody else, or by an answer that was lost.
//   - Every change has its event.

// fleet is two replicas on one store, whose clocks differ.
type fleet struct {
	t        *rapid.T
	base     *servertest.Clock
	backend  backend
	store    store.Store
	replicas [2]*member
	keyring  keys.Config
	install  store.Install

	people   map[string]*person
	clients  map[string]*appClient
	sessions []*held
	kids     map[string]bool // revoked signing keys
	backup   *copied
	restores int

	passwords int // that were made
}

type member struct {
	*server.Server
	keys   *keys.Manager
	admin  http.Handler
	store  store.Store
	offset atomic.Int64
}

type person struct {
	name, password string
	disabled       bool
}

type appClient struct {
	id       string
	disabled bool
}

// held is a session as its app has it.
type held struct {
	person, client string
	access         string
	refresh        string   // the newest that the app has seen
	predecessor    string   // the one that it was exchanged for: whoever lost the answer gets it again
	spent          []string // those from before
	ended          bool     // an app got that answer
	unsure         bool     // it may have ended: an answer was lost, or two things happened at once
}

type copied struct {
	manifest store.Manifest
	records  []store.Record
	sessions int // so many of fleet.sessions are in it
	at       time.Time
	seq      uint64
}

// backend makes stores.
type backend struct {
	skew time.Duration                // between the clocks of the replicas; those of one process have one clock
	open func(t *rapid.T) store.Store // an empty one
	fill func(t *rapid.T, f store.Manifest, records iter.Seq2[store.Record, error]) store.Store
}

func newFleet(t *rapid.T, b backend) *fleet {
	f := &fleet{t: t, base: servertest.NewClock(), backend: b, people: map[string]*person{}, clients: map[string]*appClient{}, kids: map[string]bool{}}
	f.store = b.open(t)
	f.install = store.Install{ID: rand.Text(), Schema: bolt.Schema, CreatedAt: f.base.Now()}
	f.ok(f.store.CreateInstall(context.Background(), f.install))
	f.keyring = keys.Config{Storage: f.store, InstallID: f.install.ID, Master: []masterkey.Key{masterkey.New()}, Now: f.base.Now, Algorithms: []string{jose.ES256}}
	f.ok(keys.Init(context.Background(), f.keyring))
	f.start()
	for _, id := range []string{"web", "app"} {
		f.clients[id] = &appClient{id: id}
		f.makeClient(id)
	}
	for _, name := range []string{"ada", "bob"} {
		f.people[name] = &person{name: name, password: "a difference engine"}
		f.must(f.call(0, "POST", "/v1/users", fmt.Sprintf(`{"username":%q,"password":"a difference engine"}`, name)), http.StatusCreated)
	}
	return f
}

func (f *fleet) makeClient(id string) {
	f.must(f.call(0, "POST", "/v1/clients", fmt.Sprintf(`{"client_id":%q,"public":true,"grants":["password","refresh_token"],"scopes":["profile"]}`, id)), http.StatusCreated)
}

// start starts the replicas on the store. For the second one a store of its own is opened where the backend is
// shared by processes.
func (f *fleet) start() {
	for i := range f.replicas {
		m := &member{store: f.store}
		m.offset.Store(int64([]time.Duration{f.backend.skew, -f.backend.skew}[i]))
		now := func() time.Time { return f.base.Now().Add(time.Duration(m.offset.Load())) }
		cfg := f.keyring
		cfg.Storage, cfg.Now = m.store, now
		var err error
		m.keys, err = keys.Open(context.Background(), cfg)
		f.ok(err)
		m.Server, err = server.New(server.Config{
			Issuer: "https://auth.example.com", Version: "test", Store: m.store, Keys: m.keys, Now: now, ClientMaxAge: time.Millisecond,
			Passwords:   password.New(password.Config{Argon2: servertest.CheapHash, Slots: 2, Queue: 64, Wait: 30 * time.Second}),
			RefreshKeys: [][32]byte{{1}}, ThrottleKeys: [][32]byte{{2}}, AuditKeys: [][32]byte{{3}},
			Settings: server.Settings{Settings: oauth.Settings{Grace: 10 * time.Second, Late: time.Hour,
				Settings: signin.Settings{Lifetimes: store.Lifetimes{Idle: 30 * 24 * time.Hour, Absolute: 90 * 24 * time.Hour}, SessionsPerUser: 1000}}},
		})
		f.ok(err)
		m.admin = m.Admin()
		f.replicas[i] = m
	}
}

func (f *fleet) stop() {
	for _, m := range f.replicas {
		m.Close()
	}
}

func (f *fleet) ok(err error) {
	if err != nil {
		f.t.Helper()
		f.t.Fatal(err)
	}
}

func (f *fleet) must(res result, status int) {
	if res.status != status {
		f.t.Helper()
		f.t.Fatalf("got %d %v, want %d", res.status, res.body, status)
	}
}

type result struct {
	status int
	body   map[string]any
	lost   bool // the caller had hung up
}

func (r result) text(name string) string {
	text, _ := r.body[name].(string)
	return text
}

// request is one request that is ready to be sent: the test decides where, and whether its caller stays.
type pending func(ctx context.Context, at *member) *http.Request

func public(path string, params ...string) pending {
	return func(ctx context.Context, _ *member) *http.Request {
		values := url.Values{}
		for i := 0; i+1 < len(params); i += 2 {
			values.Set(params[i], params[i+1])
		}
		r := httptest.NewRequestWithContext(ctx, http.MethodPost, path, strings.NewReader(values.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		return r
	}
}

func operator(method, path, body string) pending {
	return func(ctx context.Context, _ *member) *http.Request {
		r := httptest.NewRequestWithContext(ctx, method, path, strings.NewReader(body))
		if body != "" {
			r.Header.Set("Content-Type", "application/json")
		}
		return r
	}
}

// send sends p to a replica. A caller who hangs up does so after yields turns of the scheduler.
func (f *fleet) send(at int, p pending, yields int) result {
	m := f.replicas[at]
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	var hang sync.WaitGroup
	if yields >= 0 {
		hang.Go(func() {
			for range yields {
				runtime.Gosched()
			}
			cancel()
		})
	}
	r := p(ctx, m)
	w := httptest.NewRecorder()
	handler := http.Handler(m.Server)
	if strings.HasPrefix(r.URL.Path, "/v1/") {
		handler = m.admin
	}
	handler.ServeHTTP(w, r)
	hang.Wait()
	res := result{status: w.Code, lost: yields >= 0}
	_ = json.Unmarshal(w.Body.Bytes(), &res.body)
	f.base.Add(2 * time.Millisecond) // longer than a client is cached
	return res
}

func (f *fleet) call(at int, method, path, body string) result {
	return f.send(at, operator(method, path, body), -1)
}

// ask sends a request of an app, which repeats it while it is told to come again.
func (f *fleet) ask(at int, p pending) (res result) {
	for range 5 {
		if res = f.send(at, p, -1); res.status != http.StatusServiceUnavailable {
			return res
		}
	}
	return res
}

func (f *fleet) replica() int { return rapid.IntRange(0, 1).Draw(f.t, "replica") }

// yields draws whether the caller hangs up, and when.
func (f *fleet) yields() int {
	if rapid.IntRange(0, 3).Draw(f.t, "hangs up") > 0 {
		return -1
	}
	return rapid.SampledFrom([]int{0, 1, 3, 10, 30, 100, 300}).Draw(f.t, "after")
}

func (f *fleet) somebody() *person {
	return f.people[rapid.SampledFrom([]string{"ada", "bob"}).Draw(f.t, "user")]
}

func (f *fleet) someClient() *appClient {
	return f.clients[rapid.SampledFrom([]string{"web", "app"}).Draw(f.t, "client")]
}

// some draws one of the sessions that hold, or skips the action.
func (f *fleet) some(which func(*held) bool) *held {
	var fit []*held
	for _, h := range f.sessions {
		if which(h) {
			fit = append(fit, h)
		}
	}
	if len(fit) == 0 {
		f.t.Skip("no such session")
	}
	return rapid.SampledFrom(fit).Draw(f.t, "session")
}

func alive(h *held) bool { return !h.ended && !h.unsure }

func (p *person) login(client string) pending {
	return public("/token", "grant_type", "password", "client_id", client, "username", p.name, "password", p.password)
}

func (h *held) refreshWith(token string) pending {
	return public("/token", "grant_type", "refresh_token", "client_id", h.client, "refresh_token", token)
}

func (f *fleet) began(p *person, client string, res result) *held {
	h := &held{person: p.name, client: client, access: res.text("access_token"), refresh: res.text("refresh_token")}
	f.sessions = append(f.sessions, h)
	return h
}

// moved notes a good answer to a refresh with token.
func (h *held) moved(res result) {
	if h.predecessor != "" {
		h.spent = append(h.spent, h.predecessor)
	}
	h.predecessor = h.refresh
	h.access, h.refresh = res.text("access_token"), res.text("refresh_token")
}

func (f *fleet) end(sure bool, which func(*held) bool) {
	for _, h := range f.sessions {
		if which(h) {
			h.ended, h.unsure = h.ended || sure, h.unsure || !sure
		}
	}
}

func of(p *person) func(*held) bool { return func(h *held) bool { return h.person == p.name } }

func in(c *appClient) func(*held) bool { return func(h *held) bool { return h.client == c.id } }

func (f *fleet) actions() map[string]func(*rapid.T) {
	change := func(act func()) func(*rapid.T) {
		return func(t *rapid.T) { f.t = t; act() }
	}
	return map[string]func(*rapid.T){
		"login":             change(f.login),
		"refresh":           change(f.refresh),
		"refresh again":     change(f.refreshAgain),
		"refresh late":      change(f.lateRefresh),
		"steal":             change(f.steal),
		"revoke":            change(f.revoke),
		"sign out":          change(f.signOut),
		"disable user":      change(f.switchUser),
		"change password":   change(f.changePassword),
		"disable client":    change(f.switchClient),
		"make client anew":  change(f.remakeClient),
		"sign out everyone": change(f.signOutEveryone),
		"login beside":      change(f.loginBeside),
		"rotate keys":       change(f.rotateKeys),
		"revoke key":        change(f.revokeKey),
		"time":              change(f.time),
		"back up":           change(f.backUp),
		"restore":           change(f.restore),
		"":                  change(f.checkOne),
	}
}

func (f *fleet) login() {
	p, c := f.somebody(), f.someClient()
	yields := f.yields()
	res := f.send(f.replica(), p.login(c.id), yields)
	switch {
	case res.status == http.StatusOK && !p.disabled && !c.disabled:
		if !res.lost {
			f.began(p, c.id, res)
		}
	case res.status == http.StatusOK:
		f.t.Fatalf("a login of %s in %s: 200, and user disabled is %v, client disabled %v", p.name, c.id, p.disabled, c.disabled)
	case !p.disabled && !c.disabled && !res.lost && res.status != http.StatusServiceUnavailable:
		f.t.Fatalf("a login of %s in %s: %d %v", p.name, c.id, res.status, res.body)
	}
}

func (f *fleet) refresh() {
	h := f.some(alive)
	res := f.send(f.replica(), h.refreshWith(h.refresh), f.yields())
	if res.lost {
		return // the app keeps its token, and uses it again
	}
	if res.status == http.StatusServiceUnavailable {
		res = f.ask(f.replica(), h.refreshWith(h.refresh))
	}
	if res.status != http.StatusOK {
		f.t.Fatalf("%s in %s was signed out by somebody else: %d %v", h.person, h.client, res.status, res.body)
	}
	h.moved(res)
}

// refreshAgain is an app whose answer was lost and that asks again at once, elsewhere.
func (f *fleet) refreshAgain() {
	h := f.some(alive)
	first := f.ask(f.replica(), h.refreshWith(h.refresh))
	second := f.ask(f.replica(), h.refreshWith(h.refresh))
	if first.status != http.StatusOK || second.status != http.StatusOK || first.text("refresh_token") != second.text("refresh_token") {
		f.t.Fatalf("a refresh and its repetition: %d and %d, one successor: %v", first.status, second.status, first.text("refresh_token") == second.text("refresh_token"))
	}
	h.moved(second)
}

// lateRefresh is an app that lost the answer and slept past the grace window.
func (f *fleet) lateRefresh() {
	h := f.some(alive)
	skipped := f.ask(f.replica(), h.refreshWith(h.refresh))
	f.base.Add(11 * time.Second)
	res := f.ask(f.replica(), h.refreshWith(h.refresh))
	if skipped.status != http.StatusOK || res.status != http.StatusOK {
		f.t.Fatalf("a refresh after a lost answer and a sleep: %d, %d %v", skipped.status, res.status, res.body)
	}
	h.moved(res)
	if token := skipped.text("refresh_token"); token != h.refresh { // else by the store's own clock the grace window was not over
		h.spent = append(h.spent, token)
	}
}

// steal presents a token that is spent. The session ends, and only that.
func (f *fleet) steal() {
	h := f.some(func(h *held) bool { return alive(h) && len(h.spent) > 0 })
	old := rapid.SampledFrom(h.spent).Draw(f.t, "spent")
	if res := f.ask(f.replica(), h.refreshWith(old)); res.status != http.StatusBadRequest {
		f.t.Fatalf("a spent token: %d %v", res.status, res.body)
	}
	h.ended = true
}

func (f *fleet) revoke() {
	h := f.some(alive)
	token := rapid.SampledFrom(append(h.spent, h.refresh)).Draw(f.t, "token")
	res := f.send(f.replica(), public("/revoke", "client_id", h.client, "token", token), f.yields())
	f.end(!res.lost && res.status == http.StatusOK, func(other *held) bool { return other == h })
}

// told sends an operator's request and ends the sessions that it is about.
func (f *fleet) told(p pending, which func(*held) bool) (sure bool) {
	res := f.send(f.replica(), p, f.yields())
	sure = !res.lost && res.status < 300
	f.end(sure, which)
	return sure
}

func (f *fleet) signOut() {
	p := f.somebody()
	f.told(operator("DELETE", "/v1/users/"+p.name+"/sessions", ""), of(p))
}

func (f *fleet) switchUser() {
	p := f.somebody()
	f.told(operator("POST", "/v1/users/"+p.name+"/disable", ""), of(p))
	if rapid.Bool().Draw(f.t, "enable") {
		f.must(f.ask(f.replica(), operator("POST", "/v1/users/"+p.name+"/enable", "")), http.StatusOK)
	}
	p.disabled = f.userOf(p).Disabled
}

// newPassword is one that nobody has had: a login beside a change to the same password is right before and after it.
func (f *fleet) newPassword() string {
	f.passwords++
	return fmt.Sprintf("a difference engine, number %d", f.passwords)
}

func (f *fleet) userOf(p *person) store.User {
	u, err := f.store.UserByName(context.Background(), p.name)
	f.ok(err)
	return u
}

func (f *fleet) changePassword() {
	p := f.somebody()
	next := f.newPassword()
	before := f.userOf(p).PasswordHash
	f.told(operator("PUT", "/v1/users/"+p.name+"/password", fmt.Sprintf(`{"password":%q}`, next)), of(p))
	if f.userOf(p).PasswordHash != before {
		p.password = next
	}
}

func (f *fleet) switchClient() {
	c := f.someClient()
	f.told(operator("POST", "/v1/clients/"+c.id+"/disable", ""), in(c))
	if rapid.Bool().Draw(f.t, "enable") {
		f.must(f.ask(f.replica(), operator("POST", "/v1/clients/"+c.id+"/enable", "")), http.StatusOK)
	}
	record, err := f.store.Client(context.Background(), c.id)
	f.ok(err)
	c.disabled = record.Disabled
}

func (f *fleet) remakeClient() {
	c := f.someClient()
	f.must(f.ask(f.replica(), operator("DELETE", "/v1/clients/"+c.id, "")), http.StatusNoContent)
	f.makeClient(c.id)
	c.disabled = false
	f.end(true, in(c))
}

func (f *fleet) signOutEveryone() {
	f.told(operator("DELETE", "/v1/sessions", ""), func(*held) bool { return true })
}

// loginBeside is a login with something that ends sessions beside it. Both servertest.Answer, in any order.
func (f *fleet) loginBeside() {
	p, c := f.somebody(), f.someClient()
	if p.disabled || c.disabled {
		f.t.Skip("disabled")
	}
	kind := rapid.IntRange(0, 2).Draw(f.t, "beside")
	before := p.login(c.id)
	next := f.newPassword()
	ending := []pending{
		operator("POST", "/v1/users/"+p.name+"/disable", ""),
		operator("PUT", "/v1/users/"+p.name+"/password", fmt.Sprintf(`{"password":%q}`, next)),
		operator("POST", "/v1/clients/"+c.id+"/disable", ""),
	}[kind]
	at, elsewhere := f.replica(), f.replica()
	yields := rapid.SampledFrom([]int{0, 3, 30, 100, 300, 1000}).Draw(f.t, "later")
	var login, ended result
	var both sync.WaitGroup
	both.Go(func() { login = f.send(at, before, -1) })
	both.Go(func() {
		for range yields {
			runtime.Gosched()
		}
		ended = f.send(elsewhere, ending, -1)
	})
	both.Wait()
	if ended.status >= 300 {
		f.t.Fatalf("beside a login: %d %v", ended.status, ended.body)
	}
	if login.status == http.StatusOK {
		f.began(p, c.id, login)
	}
	if kind == 2 {
		f.end(true, in(c))
		c.disabled = true
	} else {
		f.end(true, of(p))
		p.disabled = kind == 0
	}
	if kind == 1 {
		p.password = next
	}
}

func (f *fleet) step() {
	for _, m := range f.replicas {
		f.ok(m.keys.Step(context.Background()))
	}
}

func (f *fleet) rotateKeys() {
	f.ask(f.replica(), operator("POST", "/v1/keys/rotate", `{"emergency":true}`))
	f.step()
}

func (f *fleet) revokeKey() {
	at := f.replica()
	list := f.ask(at, operator("GET", "/v1/keys", ""))
	kids := list.body["keys"].([]any)
	kid := kids[rapid.IntRange(0, len(kids)-1).Draw(f.t, "key")].(map[string]any)["kid"].(string)
	if res := f.ask(at, operator("POST", "/v1/keys/"+kid+"/revoke", `{"emergency":true}`)); res.status < 300 {
		f.kids[kid] = true
	}
	f.step()
}

func (f *fleet) time() {
	f.base.Add(time.Duration(rapid.IntRange(1, 3000).Draw(f.t, "ms")) * time.Millisecond)
	m := f.replicas[f.replica()]
	skew := int(f.backend.skew / time.Second)
	m.offset.Store(int64(time.Duration(rapid.IntRange(-skew, skew).Draw(f.t, "offset")) * time.Second))
}

// checkOne looks at one session: rapid calls it after each action.
func (f *fleet) checkOne() {
	if len(f.sessions) == 0 {
		return
	}
	f.check(f.sessions[rapid.IntRange(0, len(f.sessions)-1).Draw(f.t, "check")])
}

// check refreshes an ended session at both replicas, and shows that its access token is asked about in vain.
func (f *fleet) check(h *held) {
	if h.ended {
		for at := range f.replicas {
			if res := f.ask(at, h.refreshWith(h.refresh)); res.status == http.StatusOK {
				f.t.Fatalf("the session of %s in %s was acknowledged as ended and goes on", h.person, h.client)
			}
			f.inactive(at, h.access, "of a session that has ended")
		}
	}
	if kid := kidOfToken(f.t, h.access); f.kids[kid] {
		for at := range f.replicas {
			f.inactive(at, h.access, "of a revoked key")
		}
	}
}

func kidOfToken(t *rapid.T, token string) string {
	var header struct {
		KeyID string `json:"kid"`
	}
	text, _, _ := strings.Cut(token, ".")
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil {
		err = json.Unmarshal(raw, &header)
	}
	if err != nil {
		t.Fatal(err)
	}
	return header.KeyID
}

// inactive asks /userinfo, which takes what introspection would call active.
func (f *fleet) inactive(at int, access, what string) {
	r := httptest.NewRequest(http.MethodGet, "/userinfo", nil)
	r.Header.Set("Authorization", "Bearer "+access)
	w := httptest.NewRecorder()
	f.replicas[at].ServeHTTP(w, r)
	if w.Code == http.StatusOK {
		f.t.Fatalf("an access token %s is active", what)
	}
}

func (f *fleet) backUp() {
	exporter := f.store.(store.Exporter)
	b := &copied{sessions: len(f.sessions), at: f.base.Now()}
	var err error
	b.manifest, err = exporter.Manifest(context.Background())
	f.ok(err)
	f.ok(exporter.Export(context.Background(), func(r store.Record) error {
		b.records = append(b.records, r)
		if r.Event != nil {
			b.seq = max(b.seq, r.Event.Seq)
		}
		return nil
	}))
	f.backup = b
}

// restore puts the last backup in the place of the store, whose state is known.
func (f *fleet) restore() {
	if f.backup == nil || f.restores > 2 {
		f.t.Skip("no backup")
	}
	f.restores++
	f.stop()
	f.checkEvents()
	h := recovery.NewHistory(recovery.Backup{AsOf: f.backup.at, Last: f.backup.at, Seq: f.backup.seq}, f.base.Now())
	source := f.store.(recovery.Source)
	replaced, err := recovery.ReadReplaced(context.Background(), source, h, f.backup.manifest, f.backup.at)
	f.ok(err)
	o := recovery.NewOverlay(context.Background(), h, replaced, time.Hour)
	next := f.backend.fill(f.t, replaced.Manifest, o.Records(func(yield func(store.Record, error) bool) {
		for _, r := range f.backup.records {
			if !yield(r, nil) {
				return
			}
		}
	}))
	f.store, f.keyring.Storage = next, next
	for i, h := range f.sessions {
		h.unsure = h.unsure || i >= f.backup.sessions
	}
	f.start()
	for _, p := range f.people {
		p.disabled = f.userOf(p).Disabled
	}
	for _, c := range f.clients {
		record, err := f.store.Client(context.Background(), c.id)
		if err != nil { // it was made since the backup
			f.makeClient(c.id)
			c.disabled = false
			continue
		}
		c.disabled = record.Disabled
	}
	f.backup = nil
}

// checkEvents compares the epochs of users, which rise with each change that ends sessions, with the events.
func (f *fleet) checkEvents() {
	for _, p := range f.people {
		u := f.userOf(p)
		events, err := f.store.Events(context.Background(), store.EventQuery{Subject: u.ID.String(), Limit: 1000})
		f.ok(err)
		changes := uint32(0)
		for _, e := range events {
			switch e.Type {
			case store.EventUserDisable, store.EventUserSetPassword, store.EventSessionRevokeAll:
				if e.Outcome == store.OutcomeOK || e.Outcome == store.OutcomeUnknown {
					changes++
				}
			}
		}
		if len(events) < 1000 && f.restores <= 1 && changes < u.Epoch {
			f.t.Fatalf("%s: the epoch has risen %d times, and there are %d events", p.name, u.Epoch, changes)
		}
	}
}

func (f *fleet) checkAll() {
	for _, h := range f.sessions {
		f.check(h)
		if alive(h) {
			if res := f.ask(f.replica(), h.refreshWith(h.refresh)); res.status != http.StatusOK {
				f.t.Fatalf("%s in %s was signed out by somebody else: %d %v", h.person, h.client, res.status, res.body)
			}
		}
	}
	f.stop()
	f.checkEvents()
}

func runFleet(t *testing.T, b backend) {
	rapid.Check(t, func(t *rapid.T) {
		f := newFleet(t, b)
		t.Repeat(f.actions())
		f.t = t
		f.checkAll()
	})
}

func TestInterleavings(t *testing.T) {
	if checks := flag.Lookup("rapid.checks"); checks.Value.String() == checks.DefValue { // each is some 30 steps
		defer flag.Set("rapid.checks", checks.DefValue)
		flag.Set("rapid.checks", "40")
	}
	t.Run("bolt", func(t *testing.T) {
		dir, made := t.TempDir(), 0
		open := func(rt *rapid.T, path string, options bolt.Options) store.Store {
			s, err := bolt.Open(path, options)
			if err != nil {
				rt.Fatal(err)
			}
			rt.Cleanup(func() { s.Close() })
			return s
		}
		path := func() string {
			made++
			return filepath.Join(dir, fmt.Sprint(made, ".db"))
		}
		runFleet(t, backend{
			open: func(rt *rapid.T) store.Store { return open(rt, path(), bolt.Options{Create: true}) },
			fill: func(rt *rapid.T, f store.Manifest, records iter.Seq2[store.Record, error]) store.Store {
				path := path()
				if err := bolt.Import(context.Background(), path, nil, f, records); err != nil {
					rt.Fatal(err)
				}
				return open(rt, path, bolt.Options{})
			},
		})
	})
	t.Run("redis", func(t *testing.T) {
		server, made := redistest.Start(t, redistest.Config{}), 0
		open := func(rt *rapid.T) *redis.Store {
			made++
			s, err := redis.Open(context.Background(), redis.Config{Addrs: []string{server.Addr()}, Prefix: fmt.Sprint("run", made), Timeout: 10 * time.Second})
			if err != nil {
				rt.Fatal(err)
			}
			rt.Cleanup(func() { s.Close() })
			return s
		}
		runFleet(t, backend{
			skew: 20 * time.Second, // within the timetable's 60 s
			open: func(rt *rapid.T) store.Store { return open(rt) },
			fill: func(rt *rapid.T, f store.Manifest, records iter.Seq2[store.Record, error]) store.Store {
				s := open(rt)
				if err := s.Import(context.Background(), f, records); err != nil {
					rt.Fatal(err)
				}
				return s
			},
		})
	})
}
