package e2e

import (
	"context"
	"crypto/rand"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"signet/store/redis/redistest"
)

// canaryRun is a server that is given secrets in every place, and all that it and its commands leave behind.
type canaryRun struct {
	*canaryEdge
	t        *testing.T
	canaries []canary
	sources  []canarySource
}

// canarySource is a text without canaries. It has must, or it is not what it should be.
type canarySource struct{ name, text, must string }

func (r *canaryRun) keep(name, text, must string) {
	r.sources = append(r.sources, canarySource{name, text, must})
}

// newCanaryRun takes a server with a user and a client, and gets from it what is to be kept secret.
func newCanaryRun(t *testing.T, p *process) *canaryRun {
	t.Helper()
	r := &canaryRun{t: t, canaryEdge: newCanaryEdge(p)}
	status, tokens := post(t, p.demo.Issuer+"/token", p.demo.login())
	access, _ := tokens["access_token"].(string)
	refresh, _ := tokens["refresh_token"].(string)
	if status != http.StatusOK || access == "" || refresh == "" {
		t.Fatalf("login: got %d %v", status, tokens)
	}
	r.canaries = []canary{
		{"right password", p.demo.Password},
		{"wrong password", "Wrong" + rand.Text()},
		{"right client secret", p.demo.ClientSecret},
		{"wrong client secret", "signet_cs_" + rand.Text() + rand.Text()},
		{"access token", access},
		{"refresh token", refresh},
		{"wrong refresh token", "signet_rt_" + rand.Text() + rand.Text()},
	}
	return r
}

// misuse puts every secret in every place.
func (r *canaryRun) misuse() {
	before := r.sent
	for _, c := range r.canaries {
		for _, place := range canaryPlaces {
			place.put(r.canaryEdge, c.value)
		}
	}
	r.t.Logf("%d requests", r.sent-before)
}

// scan looks at everything that was kept.
func (r *canaryRun) scan() {
	// Of a token its public half is in no place either, but for what every token has: the header.
	secrets := slices.Clone(r.canaries)
	for i, c := range secrets {
		secrets[i].value = strings.TrimPrefix(strings.TrimPrefix(c.value, "signet_cs_"), "signet_rt_")
		if strings.HasPrefix(c.value, "eyJ") {
			secrets[i].value = c.value[strings.LastIndexByte(c.value, '.')+1:]
		}
	}
	for _, s := range r.sources {
		if !strings.Contains(s.text, s.must) {
			r.t.Errorf("%s: %q is not in it, so it is not what was to be looked at: %.300q", s.name, s.must, s.text)
		}
		for _, found := range findCanaries(s.text, secrets) {
			r.t.Errorf("%s has the %s", s.name, found)
		}
	}
}

// operate is what operators do, with mistakes that have secrets in them.
func (r *canaryRun) operate() {
	password, wrong := r.p.demo.Password, r.canaries[1].value
	client := &http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", r.p.demo.AdminSocket)
	}}}
	defer client.CloseIdleConnections()
	edge := newCanaryEdge(r.p)
	edge.client = client
	hash := "$2b$12$" + wrong
	for _, call := range [][3]string{
		{"POST", "/v1/users", `{"username":"grace","password":"` + password + `","claims":{"x":"y"}}`},
		{"POST", "/v1/users", `{"username":"` + r.p.demo.Username + `","password":"` + password + `"}`},
		{"POST", "/v1/users", `{"username":"hopper","password":"` + wrong[:14] + `"}`},
		{"POST", "/v1/users", `{"username":"hopper","password":{"text":"` + password + `"}}`},
		{"POST", "/v1/users", `{"username":"hopper","password":["` + password + `"]}`},
		{"POST", "/v1/users", `{"username":"hopper","password":"` + password},
		{"POST", "/v1/users", `{"username":"hopper","passwd":"` + password + `"}`},
		{"POST", "/v1/users", `"` + password + `"`},
		{"PUT", "/v1/users/grace/password", `{"password":"` + wrong + `"}`},
		{"PUT", "/v1/users/grace/password", `{"password":"` + wrong + `\u0000"}`},
		{"PUT", "/v1/users/nobody/password", `{"password":"` + password + `"}`},
		{"POST", "/v1/users:import", `{"username":"lovelace","password_hash":"` + hash + `"}` + "\n" + `{"username":"babbage","password":"` + password + `"}` + "\n" + password},
		{"POST", "/v1/clients", `{"client_id":"job","client_secret":"` + r.p.demo.ClientSecret + `"}`},
		{"GET", "/v1/audit?type=" + wrong, ""},
		{"DELETE", "/v1/users/grace?password=" + wrong, ""},
	} {
		edge.do(call[0], "http://signet"+call[1], call[2], "Content-Type", "application/json")
	}
	r.keep("refusals of the admin API", edge.refusals.String(), "Bad Request")
	_, stderr, _ := runSignet(r.t, wrong[:14], "user", "create", "--username", "curie", "--password-stdin", "--socket", r.p.demo.AdminSocket)
	r.keep("a password that was refused at the command line", stderr, "password")
}

// ask keeps what the server reports of itself.
func (r *canaryRun) ask(when string) {
	r.keep("metrics "+when, r.p.metrics(), "signet_requests_total")
	for _, output := range []string{"table", "json"} {
		r.keep("audit trail "+when+", "+output, r.p.admin("", "audit", "list", "--limit", "1000", "-o", output), "client_auth")
	}
	for _, name := range []string{"cmdline", "environ"} {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", r.p.cmd.Process.Pid, name))
		if err != nil {
			r.t.Error(err)
		}
		r.keep("the process's "+name, string(data), map[string]string{"cmdline": "serve", "environ": "SIGNET_LOG_LEVEL"}[name])
	}
}

// quit has the process write down all its goroutines while requests with secrets are under way, and end.
func (r *canaryRun) quit() {
	crowd := newCrowd(r.t, r.p.address())
	// The answer to each is 100: the server reads its body, and has what has come of it.
	crowd.open(3, rawPost+"Expect: 100-continue\r\nContent-Length: 5000\r\n\r\npassword="+r.p.demo.Password, true)
	crowd.open(3, "GET /userinfo HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer "+r.canaries[4].value, false)
	waitFor(r.t, "requests under way", func() bool { return r.p.metric(openConnections) >= 6 })
	if err := r.p.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		r.t.Fatal(err)
	}
	<-r.p.exited
	log := r.p.stderr.String()
	r.keep("the log and the dump of goroutines", log, "goroutine 1 ")
	r.keep("the log", log, `"level":"DEBUG"`)
	if strings.Contains(log, "panic") || strings.Contains(log, `"stack"`) {
		r.t.Error("a handler panicked")
	}
	r.keep("refusals", r.refusals.String(), "invalid_client")
}

// R-36 on a whole process with the embedded store: no secret in anything that it leaves behind.
func TestNoSecretIsLeftBehind(t *testing.T) {
	t.Parallel()
	adminListen := freeAddress(t)
	traces := newTraceReceiver(t)
	p := startInstall(t, "", canarySettings(append(traces.settings(), "SIGNET_ADMIN_LISTEN="+adminListen)...)...)
	dir := filepath.Dir(p.demo.AdminSocket)
	configFile := filepath.Join(dir, "signet.yaml")
	r := newCanaryRun(t, p)
	r.admin = adminListen
	r.operate()
	r.misuse()
	r.ask("after everything")
	master := strings.TrimSpace(readFile(t, filepath.Join(dir, "master.key")))
	r.canaries = append(r.canaries, canary{"master key", strings.TrimPrefix(master, "signet_mk_")})

	backup, export := filepath.Join(dir, "backup.db"), filepath.Join(dir, "export.ndjson")
	p.admin("", "backup", backup)
	for _, args := range [][]string{
		{"doctor", "--config", configFile}, {"healthcheck", "--config", configFile}, {"config", "check", "--config", configFile},
		{"export", "--store", "bolt:" + backup, "--config", configFile, export}, {"keys", "list", "--config", configFile}, {"client", "list", "--config", configFile},
	} {
		stdout, stderr, code := runSignet(t, "", args...)
		if code != 0 {
			t.Errorf("signet %v: exit %d: %s", args, code, stderr)
		}
		r.keep("signet "+args[0], stdout+stderr, "")
	}
	r.keep("traces", traces.text(), "POST token")
	r.quit()
	for _, name := range []string{"signet.db", "backup.db", "export.ndjson"} {
		r.keep(name, readFile(t, filepath.Join(dir, name)), p.demo.ClientID)
	}
	r.scan()
}

// R-36 while the store is away, whose errors go into the log: also not its own password.
func TestNoSecretIsLeftBehindByAStoreThatFails(t *testing.T) {
	t.Parallel()
	secret := "redis" + rand.Text()
	redis := redistest.Start(t, redistest.Config{Password: secret})
	traces := newTraceReceiver(t)
	f := startFleet(t, 1, "redis://"+redis.Addr(), canarySettings(append(traces.settings(), "SIGNET_REDIS_PASSWORD="+secret)...)...)
	p := f.replicas[0].process
	p.demo = demo{Issuer: "http://" + f.replicas[0].address, AdminSocket: p.demo.AdminSocket, Username: f.app.Username, Password: f.app.Password,
		ClientID: f.app.ClientID, ClientSecret: f.app.ClientSecret}
	r := newCanaryRun(t, p)
	r.operate()
	r.misuse()
	r.ask("while the store is there")
	redis.Kill()
	r.misuse()
	r.keep("metrics without a store", p.metrics(), "signet_store_errors_total")
	r.keep("traces", traces.text(), "redis: beginning a login")
	r.quit()
	for i := range r.sources { // the operator put it there
		if r.sources[i].name == "the process's environ" {
			r.sources[i].text = strings.ReplaceAll(r.sources[i].text, secret, "")
		}
	}
	r.canaries = append(r.canaries, canary{"password of the store", secret})
	r.scan()
}

func canarySettings(more ...string) []string {
	return append([]string{"SIGNET_LOG_LEVEL=debug", "SIGNET_THROTTLE_PER_NETWORK=0", "SIGNET_THROTTLE_PER_CLIENT=0", "SIGNET_KEYS_POLL=1s"}, more...)
}
