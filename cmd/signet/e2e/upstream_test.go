package e2e

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

const oldSystemRecipes = "../../../deploy/examples/upstream"

// oldSystem is a recipe of deploy/examples/upstream that runs.
type oldSystem struct {
	url  string
	stop func()
}

// startOldSystem runs a command that listens on an address until the test ends, and waits until it refuses a call
// without a signature.
func startOldSystem(t *testing.T, path, address string, env []string, dir, name string, args ...string) oldSystem {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Dir, cmd.Env = dir, append(append(os.Environ(), "PYTHONDONTWRITEBYTECODE=1"), env...)
	output := &lockedBuffer{}
	cmd.Stdout, cmd.Stderr = output, output
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s := oldSystem{url: "http://" + address + path, stop: sync.OnceFunc(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })}
	t.Cleanup(s.stop)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%s:\n%.4000s", name, output.String())
		}
	})
	waitFor(t, name, func() bool {
		resp, err := http.Post(s.url, "application/json", strings.NewReader(`{"username":"ada","password":"the old password of ada"}`))
		if err != nil {
			return false
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusUnauthorized {
			t.Fatalf("%s answers a call without a signature with %d", name, resp.StatusCode)
		}
		return true
	})
	return s
}

// upstreamSecret makes the secret that both sides share, and returns its file.
func upstreamSecret(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "upstream.secret")
	if err := os.WriteFile(path, []byte("a secret of the two systems\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// startDjango runs a project with the recipe and so many users, user0 and so on.
func startDjango(t *testing.T, secretFile string, users int) oldSystem {
	t.Helper()
	python := ""
	for _, candidate := range []string{"python3", "/usr/bin/python3"} {
		if exec.Command(candidate, "-c", "import django").Run() == nil {
			python = candidate
			break
		}
	}
	if python == "" {
		needs(t, "Django", "apt-get install python3-django")
	}
	dir, recipe := t.TempDir(), ""
	if abs, err := filepath.Abs(oldSystemRecipes); err == nil {
		recipe = abs
	}
	settings := `import os
from django.contrib.auth.hashers import PBKDF2PasswordHasher
SECRET_KEY = "x"
DEBUG = False
ALLOWED_HOSTS = ["127.0.0.1"]
ROOT_URLCONF = "urls"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": "db.sqlite3"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
SIGNET_SECRET = open(os.environ["UPSTREAM_SECRET_FILE"], "rb").read().strip()
PASSWORD_HASHERS = ["project.Quick"]
`
	files := map[string]string{"project.py": `from django.contrib.auth.hashers import PBKDF2PasswordHasher
class Quick(PBKDF2PasswordHasher):  # for thousands of users in seconds
    iterations = 1000
`, "settings.py": strings.Replace(settings, "from django.contrib.auth.hashers import PBKDF2PasswordHasher\n", "", 1),
		"urls.py": "import django_view\nfrom django.urls import path\nurlpatterns = [path('signet-check', django_view.check)]\n",
		"fill.py": fmt.Sprintf(`import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group, User
User.objects.bulk_create([
    User(username="user%%d" %% i, email="user%%d@example.com" %% i, password=make_password("the old password of user%%d" %% i), is_active=i != 1)
    for i in range(%d)
])
group = Group.objects.create(name="staff")
group.user_set.add(User.objects.get(username="user0"))
`, users)}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	env := []string{"DJANGO_SETTINGS_MODULE=settings", "UPSTREAM_SECRET_FILE=" + secretFile, "PYTHONPATH=" + dir + ":" + recipe}
	fill := exec.Command(python, "fill.py")
	fill.Dir, fill.Env = dir, append(os.Environ(), env...)
	if out, err := fill.CombinedOutput(); err != nil {
		t.Fatalf("filling Django's table: %v\n%s", err, out)
	}
	address := freeAddress(t)
	return startOldSystem(t, "/signet-check", address, env, dir, python, "-m", "django", "runserver", "--noreload", address)
}

func setUpstream(t *testing.T, old oldSystem, secretFile string) {
	t.Helper()
	t.Setenv("SIGNET_USERS_UPSTREAM_URL", old.url)
	t.Setenv("SIGNET_USERS_UPSTREAM_SECRET_FILE", secretFile)
	t.Setenv("SIGNET_THROTTLE_PER_NETWORK", "0")
	t.Setenv("SIGNET_THROTTLE_ANYWHERE", "0")
}

func (d demo) loginAs(username, password string) url.Values {
	return url.Values{"grant_type": {"password"}, "client_id": {d.PublicClient}, "username": {username}, "password": {password}}
}

// TestUpstreamRecipes: each recipe as it is in the repository. A right password moves the user in, a wrong one, an unknown
// name and a disabled user are refused, and without the old system only those who moved can log in.
func TestUpstreamRecipes(t *testing.T) {
	secretFile := upstreamSecret(t)
	env := []string{"UPSTREAM_SECRET_FILE=" + secretFile}
	for name, recipe := range map[string]struct {
		start    func(t *testing.T) oldSystem
		ada, eve string
	}{
		"FastAPI": {func(t *testing.T) oldSystem {
			address := freeAddress(t)
			return startOldSystem(t, "/check", address, env, oldSystemRecipes, fastAPIPython(t),
				"-m", "uvicorn", "main:app", "--host", "127.0.0.1", "--port", address[strings.LastIndex(address, ":")+1:])
		}, "ada", "eve"},
		"PHP": {func(t *testing.T) oldSystem {
			if _, err := exec.LookPath("php"); err != nil {
				needs(t, "php", "apt-get install php-cli")
			}
			address := freeAddress(t)
			return startOldSystem(t, "/", address, env, oldSystemRecipes, "php", "-S", address, "check.php")
		}, "ada", "eve"},
		"Django": {func(t *testing.T) oldSystem { return startDjango(t, secretFile, 2) }, "user0", "user1"},
	} {
		t.Run(name, func(t *testing.T) {
			old := recipe.start(t)
			setUpstream(t, old, secretFile)
			p := startDev(t, t.TempDir())
			token := p.demo.Issuer + "/token"
			want := func(username, password string, status int, code any) {
				t.Helper()
				if got, body := post(t, token, p.demo.loginAs(username, password)); got != status || body["error"] != code {
					t.Errorf("%s: got %d %v, want %d %v", username, got, body["error"], status, code)
				}
			}
			want(recipe.ada, "wrong", 400, "invalid_grant")
			want("nobody", "wrong", 400, "invalid_grant")
			want(recipe.eve, "the old password of "+recipe.eve, 400, "invalid_grant")
			want(recipe.ada, "the old password of "+recipe.ada, 200, nil)
			var user struct {
				Claims   map[string]json.RawMessage `json:"claims"`
				Move     string                     `json:"move"`
				Disabled bool                       `json:"disabled"`
			}
			for username, disabled := range map[string]bool{recipe.ada: false, recipe.eve: true} {
				if err := json.Unmarshal([]byte(p.admin("", "user", "show", username, "-o", "json")), &user); err != nil {
					t.Fatal(err)
				}
				if user.Move != "done" || user.Disabled != disabled || len(user.Claims["legacy_id"]) == 0 || string(user.Claims["email"]) != `"`+username+`@example.com"` {
					t.Errorf("%s: got %+v", username, user)
				}
			}
			old.stop()
			want(recipe.ada, "the old password of "+recipe.ada, 200, nil)
			want(recipe.ada, "wrong", 400, "invalid_grant")
			want("nobody", "wrong", 503, "temporarily_unavailable")
		})
	}
}

// mover logs all users of an old system in, right and wrong, whatever happens to the server meanwhile.
type mover struct {
	t         *testing.T
	token     string
	public    string
	subs      sync.Map // by username: the sub of the first login
	in        atomic.Int64
	again     atomic.Int64 // requests without a decision
	refused   atomic.Int64 // wrong passwords that were refused
	overtaken atomic.Int64 // logins by two at once
}

// once tries one login; done is false where nothing was decided.
func (m *mover) once(username, password string, right bool) (done bool) {
	resp, err := http.PostForm(m.token, url.Values{"grant_type": {"password"}, "client_id": {m.public}, "username": {username}, "password": {password}})
	if err != nil {
		m.again.Add(1)
		return false
	}
	defer resp.Body.Close()
	var body struct {
		AccessToken string `json:"access_token"`
		Error       string `json:"error"`
	}
	if err := json.NewDecoder(resp.Body).Decode(&body); err != nil || resp.StatusCode == http.StatusServiceUnavailable {
		m.again.Add(1)
		return false
	}
	switch {
	case right && resp.StatusCode == http.StatusOK:
		sub, err := subjectOf(body.AccessToken)
		if err != nil {
			m.t.Error(err)
		}
		if first, was := m.subs.LoadOrStore(username, sub); was && first != sub {
			m.t.Errorf("%s is %s and %s", username, first, sub)
		}
	case !right && resp.StatusCode == http.StatusBadRequest && body.Error == "invalid_grant":
		m.refused.Add(1)
	default:
		m.t.Errorf("%s, right password %v: got %d %s", username, right, resp.StatusCode, body.Error)
	}
	return true
}

func subjectOf(token string) (string, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return "", errors.New("the access token has no three parts")
	}
	payload, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return "", err
	}
	var claims struct {
		Subject string `json:"sub"`
	}
	err = json.Unmarshal(payload, &claims)
	return claims.Subject, err
}

// try repeats one login until it is decided.
func (m *mover) try(username, password string, right bool) {
	for deadline := time.Now().Add(2 * time.Minute); !m.once(username, password, right); time.Sleep(time.Duration(20+rand.IntN(80)) * time.Millisecond) {
		if time.Now().After(deadline) {
			m.t.Errorf("%s: nothing was decided for two minutes", username)
			return
		}
	}
}

// known returns the users whose first login was answered.
func (m *mover) known() (names []string) {
	m.subs.Range(func(name, _ any) bool { names = append(names, name.(string)); return true })
	return names
}

// logins has users who have moved log in, one in sixteen with a wrong password, until the returned function is called.
func (m *mover) logins() (stop func() loginLoad) {
	var n atomic.Int64
	return openLoop(loginRate, 0, func() {
		names := m.known()
		if len(names) == 0 {
			return
		}
		username := names[rand.IntN(len(names))]
		if n.Add(1)%16 == 0 && len(names) > 100 { // below the limit of an account
			m.once(username, "not the old password of "+username, false)
			return
		}
		m.once(username, "the old password of "+username, true)
	}, func() bool { return true })
}

// TestMoveWhileLoginsGoOn: users of a Django table come through the upstream while the server is killed with SIGKILL at
// random moments. No right password is refused, no wrong one accepted; at the end everybody is here once, with the sub
// of their first login, and can log in without Django. Meanwhile users who have moved log in, loginRate a second.
// SIGNET_MIGRATION=long is a table of 100,000, of which a random part logs in, and 50 kills.
func TestMoveWhileLoginsGoOn(t *testing.T) {
	const workers = 12
	users, kills, apart := 2000, 15, 700*time.Millisecond
	if longMigration() {
		users, kills, apart = 100_000, 50, 8*time.Second
	}
	secretFile := upstreamSecret(t)
	old := startDjango(t, secretFile, users)
	setUpstream(t, old, secretFile)
	t.Setenv("SIGNET_PASSWORD_ARGON2_MEMORY_KIB", "7168") // many users, and two cores
	t.Setenv("SIGNET_PASSWORD_ARGON2_TIME", "1")
	dir := t.TempDir()
	p := startDev(t, dir)
	address := strings.TrimPrefix(p.demo.Issuer, "http://")
	m := &mover{t: t, token: p.demo.Issuer + "/token", public: p.demo.PublicClient}
	began := time.Now()
	stop := m.logins()
	names, enough := make(chan int), make(chan struct{})
	var working sync.WaitGroup
	for range workers {
		working.Go(func() {
			for i := range names {
				username := fmt.Sprint("user", i)
				right := "the old password of " + username
				if i%3 == 0 {
					m.try(username, "not "+right, false)
				}
				if i%5 == 0 { // two at once
					var both sync.WaitGroup
					both.Go(func() { m.try(username, right, true) })
					m.try(username, right, true)
					both.Wait()
					m.overtaken.Add(1)
				} else {
					m.try(username, right, true)
				}
				m.in.Add(1)
			}
		})
	}
	fed := make(chan struct{})
	go func() {
		defer close(fed)
		defer close(names)
		for _, i := range rand.Perm(users) {
			if i == 1 { // who is disabled
				continue
			}
			select {
			case names <- i:
			case <-enough:
				return
			}
		}
	}()
	killed, memory := 0, int64(0)
	for ; killed < kills && m.in.Load() < int64(users)*9/10; killed++ {
		time.Sleep(100*time.Millisecond + rand.N(apart)) // the random moment
		memory = max(memory, peakMemory(p.cmd.Process.Pid))
		p.kill()
		p = startDev(t, dir, address)
	}
	if longMigration() {
		close(enough)
	}
	<-fed
	working.Wait()
	took, load := time.Since(began), stop()
	memory = max(memory, peakMemory(p.cmd.Process.Pid))
	t.Logf("%d of %d users moved in %v with %d kills, the server and its processes took %d MiB; %d requests were not decided, %d wrong passwords refused, "+
		"%d users logged in twice at once; of users who had moved: %s", m.in.Load(), users, took.Round(time.Millisecond), killed, memory>>10, m.again.Load(), m.refused.Load(),
		m.overtaken.Load(), load)
	if killed < 5 || m.again.Load() < int64(killed) {
		t.Errorf("%d kills and %d undecided requests show little", killed, m.again.Load())
	}
	old.stop()
	var list struct {
		Users []struct {
			Username string `json:"username"`
			Subject  string `json:"sub"`
			Move     string `json:"move"`
		} `json:"users"`
	}
	if err := json.Unmarshal([]byte(p.admin("", "user", "list", "-o", "json")), &list); err != nil {
		t.Fatal(err)
	}
	here := map[string]int{}
	for _, u := range list.Users {
		here[u.Username]++
		if first, ok := m.subs.Load(u.Username); ok && (first != u.Subject || u.Move != "done") {
			t.Errorf("%s is %s (%s), and was %s at the first login", u.Username, u.Subject, u.Move, first)
		}
	}
	came := m.known()
	for _, username := range came {
		if here[username] != 1 {
			t.Errorf("%s is here %d times", username, here[username])
		}
	}
	if int64(len(came)) != m.in.Load() || len(list.Users) != len(came)+1 { // with the demo's
		t.Errorf("%d users are here, %d logged in and %d were answered", len(list.Users)-1, m.in.Load(), len(came))
	}
	for i := 0; i < len(came) && !t.Failed(); i += 37 {
		m.try(came[i], "the old password of "+came[i], true)
		m.try(came[i], "not the old password of "+came[i], false)
	}
}

// TestDeletedUserComesBack: a user who is deleted while the old system accepts them is made anew by a login, and the
// command warns of it. A disabled user stays out.
func TestDeletedUserComesBack(t *testing.T) {
	old := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprint(w, `{"id": 17}`)
	}))
	t.Cleanup(old.Close)
	setUpstream(t, oldSystem{url: old.URL}, upstreamSecret(t))
	p := startDev(t, t.TempDir())
	login := func(want int) {
		t.Helper()
		if got, body := post(t, p.demo.Issuer+"/token", p.demo.loginAs("ada", "anything")); got != want {
			t.Errorf("got %d %v, want %d", got, body["error"], want)
		}
	}
	login(http.StatusOK)
	before := p.admin("", "user", "show", "ada", "-o", "json")
	_, stderr, code := runSignet(t, "", "user", "delete", "ada", "--yes", "--socket", p.demo.AdminSocket)
	if code != 0 || !strings.Contains(stderr, "comes back with their next login") {
		t.Errorf("deleting: %d %s", code, stderr)
	}
	login(http.StatusOK)
	if after := p.admin("", "user", "show", "ada", "-o", "json"); after == before {
		t.Errorf("the user has the record from before: %s", after)
	}
	p.admin("", "user", "disable", "ada")
	login(http.StatusBadRequest)
}
