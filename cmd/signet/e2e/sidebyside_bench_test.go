package e2e

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/store/redis/redistest"
)

// BenchmarkSideBySide compares this program with another one, such as that of the last release: both run at the same
// time, are asked the same in turns, and the processor time of the two processes a request is compared. It prints the
// median of the ratios of all rounds, and their quartiles. What else runs on the machine slows both.
//
//	SIGNET_BENCH_OTHER=/path/to/signet go test ./cmd/signet/e2e -run '^$' -bench SideBySide -benchtime 1x
//
// SIGNET_BENCH_ROUNDS is how many rounds there are of each; 15 without it. SIGNET_BENCH_OURS names a program to be
// measured instead of this one.
func BenchmarkSideBySide(b *testing.B) {
	other := os.Getenv("SIGNET_BENCH_OTHER")
	if other == "" {
		b.Skip("SIGNET_BENCH_OTHER names no program to compare with")
	}
	ours := os.Getenv("SIGNET_BENCH_OURS")
	if ours == "" {
		ours = buildSignet(b)
	}
	const cheap = "SIGNET_PASSWORD_ARGON2_MEMORY_KIB=7168 SIGNET_PASSWORD_ARGON2_TIME=1"
	for _, row := range []struct {
		name, store, environ string
		workers              int
		ask                  func(s *benchSide) func(int) func() error
	}{
		{"refresh_bolt", "bolt:signet.db", cheap, 16, (*benchSide).refresh},
		{"refresh_redis", "redis", cheap, 16, (*benchSide).refresh},
		{"client_credentials_bolt", "bolt:signet.db", cheap, 16, (*benchSide).credentials},
		{"client_credentials_redis", "redis", cheap, 16, (*benchSide).credentials},
		{"login_bolt", "bolt:signet.db", "", 1, (*benchSide).login},
		{"login_redis", "redis", "", 1, (*benchSide).login},
		{"login_cheap_hash_bolt", "bolt:signet.db", cheap, 1, (*benchSide).login},
		{"login_cheap_hash_redis", "redis", cheap, 1, (*benchSide).login},
		{"login_four_at_once", "bolt:signet.db", "", 4, (*benchSide).login}, // hashes on all cores at once slow each other
		{"jwks", "bolt:signet.db", cheap, 16, func(s *benchSide) func(int) func() error { return repeatGet(s.app.Issuer + "/.well-known/jwks.json") }},
	} {
		b.Run(row.name, func(b *testing.B) {
			var sides []*benchSide
			for _, binary := range []string{ours, other} {
				url := row.store
				if url == "redis" {
					url = "redis://" + redistest.Start(b, redistest.Config{}).Addr()
				}
				s := startSide(b, binary, url, strings.Fields(row.environ))
				s.work = row.ask(s)
				sides = append(sides, s)
			}
			compareSides(b, sides[0], sides[1], row.workers)
		})
	}
}

func compareSides(b *testing.B, ours, other *benchSide, workers int) {
	rounds := 15
	if text := os.Getenv("SIGNET_BENCH_ROUNDS"); text != "" {
		if _, err := fmt.Sscan(text, &rounds); err != nil {
			b.Fatal(err)
		}
	}
	var ratios, costs []float64
	for round := range rounds {
		var cost [2]float64
		for i := range 2 {
			which := (i + round) % 2 // who is first takes turns too
			cost[which] = cpuPerRequest(b, []*benchSide{ours, other}[which].pid, workers, []*benchSide{ours, other}[which].work)
		}
		ratios, costs = append(ratios, cost[0]/cost[1]), append(costs, cost[0])
	}
	slices.Sort(ratios)
	slices.Sort(costs)
	at := func(q float64) float64 { return ratios[int(math.Round(q*float64(len(ratios)-1)))] }
	b.ReportMetric(at(0.5), "x-other")
	b.ReportMetric(at(0.25), "x-lower")
	b.ReportMetric(at(0.75), "x-upper")
	b.ReportMetric(costs[len(costs)/2]*1e6, "cpu-µs/request")
	b.ReportMetric(0, "ns/op")
}

// benchSide is one of the two programs, with an install of its own.
type benchSide struct {
	b      testing.TB
	pid    int
	app    demo // its Issuer is where it listens
	config string
	run    func(stdin string, args ...string) string // a command of the program
	work   func(int) func() error
}

func (s *benchSide) refresh() func(int) func() error { return refreshing(s.b, s.app, s.app.Issuer) }
func (s *benchSide) credentials() func(int) func() error {
	return repeatForm(s.app.Issuer, credentials(s.app))
}
func (s *benchSide) login() func(int) func() error { return repeatForm(s.app.Issuer, s.app.login()) }

// startSide makes an install and serves it.
func startSide(b testing.TB, binary, store string, environ []string) *benchSide {
	b.Helper()
	dir := shortDir(b)
	s := &benchSide{b: b, app: demo{Username: "ada", Password: "three green herons", ClientID: "web"}}
	environ = append(append(os.Environ(), "SIGNET_SHUTDOWN_DELAY=0s", "SIGNET_THROTTLE_PER_NETWORK=0", "SIGNET_REFRESH_SESSIONS_PER_USER=1000"), environ...)
	s.run = func(stdin string, args ...string) string {
		cmd := exec.Command(binary, args...)
		cmd.Env, cmd.Stdin = environ, strings.NewReader(stdin)
		out, err := cmd.Output()
		if err != nil {
			b.Fatalf("%s %v: %v", binary, args, err)
		}
		return string(out)
	}
	address := freeAddress(b)
	s.app.Issuer = "http://" + address
	s.run("", "init", "--dir", dir, "--issuer", s.app.Issuer, "--listen", address, "--store", store)
	s.config = filepath.Join(dir, "signet.yaml")
	cmd := exec.Command(binary, "serve", "--config", s.config)
	cmd.Env = environ
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	s.pid = cmd.Process.Pid
	waitFor(b, "the server", func() bool { _, err := ask(benchClient.Get(s.app.Issuer + "/readyz")); return err == nil })
	s.run(s.app.Password, "user", "create", "--config", s.config, "--username", s.app.Username, "--password-stdin")
	var made clientRecord
	out := s.run("", "client", "create", "--config", s.config, "--id", s.app.ClientID, "--grant", "password,refresh_token,client_credentials", "--scope", "profile", "-o", "json")
	if err := json.Unmarshal([]byte(out), &made); err != nil {
		b.Fatal(err)
	}
	s.app.ClientSecret = made.Secret
	time.Sleep(time.Second) // until what the start does beside serving is done
	return s
}
