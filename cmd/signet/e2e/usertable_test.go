package e2e

import (
	"bufio"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"signet/store/redis/redistest"
)

// djangoPython is the interpreter of Debian's packages.
const djangoPython = "/usr/bin/python3"

// djangoTable writes a user table of Django with its own dumpdata. hasher is one of its classes.
func djangoTable(t *testing.T, users int, hasher string) (file string) {
	t.Helper()
	if exec.Command(djangoPython, "-c", "import django").Run() != nil {
		needs(t, "Django", "apt-get install python3-django")
	}
	file = filepath.Join(t.TempDir(), "users.json")
	if out, err := exec.Command(djangoPython, "testdata/django_users.py", strconv.Itoa(users), file, hasher).CombinedOutput(); err != nil {
		t.Fatalf("writing the table: %v\n%s", err, out)
	}
	return file
}

// longMigration reports whether the moves of users are to be the long ones: 100,000 users and 50 kills.
func longMigration() bool { return os.Getenv("SIGNET_MIGRATION") == "long" }

// loginRate is how many logins a second go on while users move.
const loginRate = 20

// TestDjangoTableMovesIn moves a table into a server while users of it log in, loginRate a second, and kills the server
// and the command at random moments, again and again. SIGNET_MIGRATION=long is 100,000 users and 50 kills.
func TestDjangoTableMovesIn(t *testing.T) {
	t.Parallel()
	users, kills := 3000, 6
	if longMigration() {
		users, kills = 100_000, 50
	}
	longest := time.Duration(users) * 150 * time.Microsecond // a run reads who is there before it sends
	moveDjangoTable(t, &migration{users: users, longest: longest, file: djangoTable(t, users, "PBKDF2PasswordHasher")}, kills)
}

// TestDjangoTableOfFastHashesMovesIn is the same with salted MD5, which is wrapped: each line is as much work as a login, and the
// logins go on meanwhile.
func TestDjangoTableOfFastHashesMovesIn(t *testing.T) {
	t.Parallel()
	const users, kills = 60, 4
	m := &migration{users: users, longest: 3 * time.Second, file: djangoTable(t, users, "MD5PasswordHasher")}
	moveDjangoTable(t, m, kills)
}

// TestDjangoTableMovesIntoRedis is the same with a store that is killed as well.
func TestDjangoTableMovesIntoRedis(t *testing.T) {
	t.Parallel()
	users, kills := 2000, 9
	if longMigration() {
		users, kills = 100_000, 60
	}
	longest := time.Duration(users) * 200 * time.Microsecond
	m := &migration{users: users, longest: longest, file: djangoTable(t, users, "PBKDF2PasswordHasher"), address: freeAddress(t), store: redistest.Start(t, redistest.Config{Persist: true})}
	f := startFleet(t, 1, "redis://"+m.store.Addr(), "SIGNET_LISTEN="+m.address)
	first := f.replicas[0]
	m.dir, m.demo, m.process = filepath.Dir(first.demo.AdminSocket), f.app, first.process
	m.serve = func() *process { return startReplica(t, m.dir, first.cmd.Env).process }
	moveDjangoTable(t, m, kills)
}

func moveDjangoTable(t *testing.T, m *migration, kills int) {
	m.t, m.binary, m.seen = t, buildSignet(t), map[int]bool{}
	if m.serve == nil {
		m.dir, m.address = t.TempDir(), freeAddress(t)
		m.start()
	}
	t.Cleanup(m.crash)
	m.public = &http.Client{Timeout: 20 * time.Second}
	m.admin = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", filepath.Join(m.dir, "admin.sock"))
	}}}
	stop, begun := m.logins(int64(kills)), time.Now()
	subjects := m.move(kills)
	took := time.Since(begun)
	load := stop()
	m.check(subjects)
	m.crash() // the memory of the last server counts as well
	m.t.Logf("%d users moved in %v with %d crashes of the server, %d of the command and %d of the store: %s; %d with the right password, %d with a wrong one, %d without an answer, "+
		"%d before anybody was there; the command took %d MiB, the server and its processes %d MiB", m.users, took.Round(time.Millisecond), m.serverKills, m.clientKills, m.storeKills, load,
		m.right.Load(), m.wrong.Load(), m.unanswered.Load(), m.early.Load(), m.clientMemory>>10, m.serverMemory>>10)
	if m.right.Load() < int64(kills) || m.wrong.Load() == 0 || m.serverKills == 0 || m.clientKills == 0 || m.store != nil && m.storeKills == 0 {
		t.Error("too little happened for the test to prove anything")
	}
}

type migration struct {
	t            *testing.T
	users        int
	longest      time.Duration // between two kills
	file, dir    string
	address      string
	binary       string
	public       *http.Client
	admin        *http.Client
	demo         demo
	serve        func() *process   // starts a server that is not one of development
	store        *redistest.Server // of it
	serverKills  int
	clientKills  int
	storeKills   int
	clientMemory int64 // KiB, the most of all runs
	serverMemory int64

	mu      sync.Mutex
	server  *exec.Cmd
	process *process // what serve started last

	right, wrong, unanswered, early atomic.Int64

	lock    sync.Mutex
	seen    map[int]bool // users who were there once
	allowed []int        // those of them who can log in
}

// start starts the server, and returns when it answers.
func (m *migration) start() {
	if m.serve != nil {
		m.process = m.serve()
		return
	}
	server := exec.Command(m.binary, "dev", "--dir", m.dir, "--listen", m.address, "-o", "json")
	out, err := server.StdoutPipe()
	if err != nil {
		m.t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		m.t.Fatal(err)
	}
	var started demo
	line, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil || json.Unmarshal(line, &started) != nil {
		m.t.Errorf("the server did not start: %v %s", err, line)
	}
	if m.demo.ClientID == "" { // it is the same after each start, and logins read it
		m.demo = started
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	m.server = server
}

// crash kills the server.
func (m *migration) crash() {
	if m.serve != nil {
		m.serverMemory = max(m.serverMemory, peakMemory(m.process.cmd.Process.Pid))
		m.process.kill()
		return
	}
	m.mu.Lock()
	server := m.server
	m.mu.Unlock()
	m.serverMemory = max(m.serverMemory, peakMemory(server.Process.Pid))
	_ = server.Process.Kill()
	_ = server.Wait()
}

// peakMemory returns the most resident memory that a process had, and that of its children, in KiB.
func peakMemory(pid int) (kib int64) {
	children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", pid))
	for child := range strings.FieldsSeq(string(children)) {
		if id, err := strconv.Atoi(child); err == nil {
			kib += peakMemory(id)
		}
	}
	status, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for line := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
			own, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			kib += own
		}
	}
	return kib
}

// move runs the command until it has come to its end and everything was killed as often as it should be. It returns the
// sub of each username.
func (m *migration) move(kills int) map[string]string {
	subjects := filepath.Join(m.dir, "subjects.csv")
	for {
		command := exec.Command(m.binary, "user", "import", "--format", "django", "--file", m.file, "--socket", filepath.Join(m.dir, "admin.sock"), "--map", subjects, "--force",
			"--claim", "email=email", "--wait", "60s")
		var errs lockedBuffer
		command.Stdout, command.Stderr = &errs, &errs
		if err := command.Start(); err != nil {
			m.t.Fatal(err)
		}
		ended := make(chan error, 1)
		go func() { ended <- command.Wait() }()
		running := true
		for running {
			var moment <-chan time.Time // of the next kill
			if m.kills() < kills {
				moment = time.After(time.Duration(rand.Int64N(int64(m.longest))))
			}
			select {
			case err := <-ended:
				running = false
				usage := command.ProcessState.SysUsage().(*syscall.Rusage)
				m.clientMemory = max(m.clientMemory, usage.Maxrss)
				if err != nil {
					m.t.Fatalf("the import: %v\n%s", err, errs.String())
				}
			case <-moment:
				if m.killOther() {
					continue
				}
				m.clientKills++
				_ = command.Process.Kill()
				<-ended
				running = false
			}
		}
		if command.ProcessState.Success() && m.kills() >= kills {
			return m.read(subjects)
		}
	}
}

func (m *migration) kills() int { return m.serverKills + m.clientKills + m.storeKills }

// killOther kills the server or the store, unless it is the turn of the command.
func (m *migration) killOther() bool {
	turns := 2
	if m.store != nil {
		turns = 3
	}
	switch m.kills() % turns {
	case 0:
		m.serverKills++
		m.crash()
		m.start()
	case 2:
		m.storeKills++
		m.store.Kill()
		m.store.Restart()
	default:
		return false
	}
	return true
}

// read reads the map of the last run.
func (m *migration) read(path string) map[string]string {
	f, err := os.Open(path)
	if err != nil {
		m.t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		m.t.Fatal(err)
	}
	subjects, seen := map[string]string{}, map[string]bool{}
	for _, row := range rows[1:] {
		if subjects[row[0]] != "" || seen[row[1]] || !strings.HasPrefix(row[1], "usr_") {
			m.t.Errorf("the map has %v twice", row)
		}
		subjects[row[0]], seen[row[1]] = row[1], true
	}
	return subjects
}

func nameOf(i int) string          { return fmt.Sprintf("user%d@example.com", i) }
func (m *migration) no(i int) bool { return i%10 == 3 || i%10 == 7 } // cannot log in

// pick returns a user who is there. A user who was there once must be there for good. While the server does not answer,
// it is one of those who were seen before.
func (m *migration) pick(allowed bool) (user int, ok bool) {
	for range 20 {
		i := rand.IntN(m.users)
		if allowed && m.no(i) {
			continue
		}
		before := m.was(i)
		status, err := m.show(i)
		switch {
		case err != nil || status >= http.StatusInternalServerError:
			m.lock.Lock()
			defer m.lock.Unlock()
			if len(m.allowed) == 0 {
				return 0, false
			}
			return m.allowed[rand.IntN(len(m.allowed))], true
		case status == http.StatusOK:
			m.note(i)
			return i, true
		case before:
			m.t.Errorf("%s was there, and is lost: %d", nameOf(i), status)
		}
	}
	return 0, false
}

func (m *migration) was(i int) bool {
	m.lock.Lock()
	defer m.lock.Unlock()
	return m.seen[i]
}

func (m *migration) note(i int) {
	m.lock.Lock()
	defer m.lock.Unlock()
	if !m.seen[i] && !m.no(i) {
		m.allowed = append(m.allowed, i)
	}
	m.seen[i] = true
}

// logins has users log in until the returned function is called and so many right passwords and one wrong one were
// tried. A table that moves within a second leaves no time for that before.
func (m *migration) logins(least int64) (stop func() loginLoad) {
	var n atomic.Int64
	return openLoop(loginRate, 30*time.Second, func() {
		turn := n.Add(1) // the failures of all must stay below the limit of a network
		i, ok := m.pick(turn%64 != 2)
		if !ok {
			m.early.Add(1)
			return
		}
		m.login(i, turn%64 != 1)
	}, func() bool { return m.right.Load() >= least && m.wrong.Load() > 0 })
}

// login logs a user in who is there.
func (m *migration) login(i int, right bool) {
	password := "password of " + strconv.Itoa(i)
	if !right {
		password += "0"
	}
	res, err := m.public.PostForm("http://"+m.address+"/token", url.Values{"grant_type": {"password"}, "client_id": {m.demo.ClientID}, "client_secret": {m.demo.ClientSecret},
		"username": {strings.ToUpper(nameOf(i))}, "password": {password}})
	if err != nil {
		m.unanswered.Add(1)
		return
	}
	res.Body.Close()
	switch want := right && !m.no(i); {
	case res.StatusCode == http.StatusServiceUnavailable, res.StatusCode == http.StatusTooManyRequests:
		m.unanswered.Add(1)
	case want && res.StatusCode != http.StatusOK:
		m.t.Errorf("%s, right password: got %d", nameOf(i), res.StatusCode)
	case !want && res.StatusCode != http.StatusBadRequest:
		m.t.Errorf("%s, wrong password or no access: got %d", nameOf(i), res.StatusCode)
	case want:
		m.right.Add(1)
	default:
		m.wrong.Add(1)
	}
}

func (m *migration) show(i int) (status int, err error) {
	res, err := m.admin.Get("http://signet/v1/users/" + nameOf(i))
	if err != nil {
		return 0, err
	}
	res.Body.Close()
	return res.StatusCode, nil
}

// check compares the users that are there with the table and with the map.
func (m *migration) check(subjects map[string]string) {
	if len(subjects) != m.users {
		m.t.Errorf("the map has %d users, want %d", len(subjects), m.users)
	}
	there := map[string]bool{}
	for after := ""; ; {
		res, err := m.admin.Get("http://signet/v1/users?limit=1000&after=" + url.QueryEscape(after))
		if err != nil {
			m.t.Fatal(err)
		}
		var page struct {
			Users []struct {
				Sub, Username string
				Disabled      bool
				HasPassword   bool `json:"has_password"`
				Claims        struct {
					ID    int `json:"legacy_id"`
					Email string
					Roles []string
				}
			}
			Next string
		}
		err = json.NewDecoder(res.Body).Decode(&page)
		res.Body.Close()
		if err != nil {
			m.t.Fatal(err)
		}
		for _, u := range page.Users {
			if u.Username == m.demo.Username {
				continue
			}
			i := u.Claims.ID - 1
			if u.Username != nameOf(i) || u.Sub != subjects[fmt.Sprintf("User%d@example.com", i)] || u.Disabled != (i%10 == 3) || u.HasPassword != (i%10 != 7) ||
				u.Claims.Email != nameOf(i) || len(u.Claims.Roles) != 1 || u.Claims.Roles[0] != "customers" {
				m.t.Fatalf("got %+v, sub of the map %s", u, subjects[fmt.Sprintf("User%d@example.com", i)])
			}
			there[u.Username] = true
		}
		if after = page.Next; after == "" {
			break
		}
	}
	if len(there) != m.users {
		m.t.Errorf("%d users are there, want %d", len(there), m.users)
	}
	before := m.right.Load()
	for range 40 { // also users whose hash was replaced
		if i, ok := m.pick(true); ok {
			m.login(i, true)
		}
	}
	if m.right.Load() == before {
		m.t.Error("nobody could log in at the end")
	}
}

// BenchmarkUserImport imports SIGNET_USERS users (20,000) with the command into a server, and then again; as many with hashes that
// are left for later; and a fortieth of that with hashes that are wrapped, each of which takes a hash.
func BenchmarkUserImport(b *testing.B) {
	users := 20_000
	if n, err := strconv.Atoi(os.Getenv("SIGNET_USERS")); err == nil {
		users = n
	}
	b.Run("bcrypt", func(b *testing.B) {
		benchmarkImport(b, users, `"password_hash":"$2b$12$EixZaYVK1fsbw1ZfbX3OXePaWxn96p36WQoeG6Lruj3vjPGga31lW"`)
	})
	b.Run("later", func(b *testing.B) {
		benchmarkImport(b, users, `"password_hash":"$P$Babcdefgh74577h1O81KPANIXqnC6Z0"`, "--wrap-later")
	})
	b.Run("wrapped", func(b *testing.B) {
		benchmarkImport(b, max(users/40, 1), `"password_hash":"md5$salt$185a8ce4c769b0acdfda7dcc0f5026bf","hash_scheme":"django"`)
	})
}

func benchmarkImport(b *testing.B, users int, hash string, flags ...string) {
	file := filepath.Join(b.TempDir(), "users.ndjson")
	f, err := os.Create(file)
	if err != nil {
		b.Fatal(err)
	}
	w := bufio.NewWriter(f)
	for i := range users {
		fmt.Fprintf(w, `{"username":"user%d@example.com",%s,"id":%d,"claims":{"roles":["staff"]}}`+"\n", i, hash, i)
	}
	if w.Flush() != nil || f.Close() != nil {
		b.Fatal("writing the table failed")
	}
	for b.Loop() {
		p := startDev(b, b.TempDir())
		for _, what := range []string{"first", "again"} {
			command := exec.Command(signetBinary(b), append([]string{"user", "import", "--file", file, "--socket", p.demo.AdminSocket}, flags...)...)
			begun := time.Now()
			if out, err := command.CombinedOutput(); err != nil {
				b.Fatalf("%v\n%s", err, out)
			}
			b.ReportMetric(float64(users)/time.Since(begun).Seconds(), "users/s-"+what)
			b.ReportMetric(float64(command.ProcessState.SysUsage().(*syscall.Rusage).Maxrss)/1024, "MiB-command-"+what)
		}
		b.ReportMetric(float64(peakMemory(p.cmd.Process.Pid))/1024, "MiB-server")
		p.kill()
	}
}
