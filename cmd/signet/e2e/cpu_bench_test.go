package e2e

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkServerCPU prints what a request costs the server's process, as a multiple of the floor
// (floor_test.go) measured in turn with it in the same run. The load generator shares the machine
// and is not counted.
//
//	go test ./cmd/signet/e2e -run '^$' -bench ServerCPU -benchtime 1x
func BenchmarkServerCPU(b *testing.B) {
	if _, err := os.Stat("/proc/self/stat"); err != nil {
		b.Skip("needs /proc to read what a process used")
	}
	signet, d := benchServer(b)
	floor, floorAddress := benchFloor(b)
	b.Run("idle", func(b *testing.B) {
		time.Sleep(3 * time.Second) // until the memory of the first hash has gone back
		b.ReportMetric(residentMiB(b, signet), "RSS-MiB")
		b.ReportMetric(0, "ns/op")
	})
	app := url.Values{"client_id": {d.ClientID}, "client_secret": {d.ClientSecret}}
	floorApp := url.Values{"client_id": {"web"}, "client_secret": {floorSecret}}
	for _, bench := range []struct {
		name           string
		workers        int
		signet, ground func(worker int) func() error
	}{
		{"client_credentials", 16,
			repeatForm(d.Issuer, with(app, "grant_type", "client_credentials")),
			repeatForm(floorAddress, with(floorApp, "grant_type", "client_credentials"))},
		{"refresh", 16, refreshing(b, d, d.Issuer),
			repeatForm(floorAddress, with(floorApp, "grant_type", "refresh_token", "refresh_token", strings.Repeat("x", 190)))},
		{"password", 2,
			repeatForm(d.Issuer, with(app, "grant_type", "password", "username", d.Username, "password", d.Password)),
			repeatForm(floorAddress, with(floorApp, "grant_type", "password", "username", "demo", "password", d.Password))},
		{"jwks", 16, repeatGet(d.Issuer + "/.well-known/jwks.json"), repeatGet(floorAddress + "/jwks")},
	} {
		b.Run(bench.name, func(b *testing.B) {
			compareCPU(b, bench.workers, signet, floor, bench.signet, bench.ground)
		})
	}
}

// compareCPU measures the two in turn and reports the median of their ratios.
func compareCPU(b *testing.B, workers, signet, floor int, work, ground func(int) func() error) {
	var ratios []float64
	var cost float64
	for range 5 {
		least := cpuPerRequest(b, floor, workers, ground)
		cost = cpuPerRequest(b, signet, workers, work)
		ratios = append(ratios, cost/least)
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[2], "x-floor")
	b.ReportMetric(cost*1e6, "cpu-µs/request")
	b.ReportMetric(0, "ns/op")
}

func with(base url.Values, pairs ...string) url.Values {
	form := url.Values{}
	maps.Copy(form, base)
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	return form
}

// benchServer runs a signet with the embedded store.
func benchServer(b *testing.B, settings ...string) (pid int, d demo) {
	b.Helper()
	cmd := exec.Command(buildSignet(b), "dev", "--dir", shortDir(b), "--listen", "127.0.0.1:0", "-o", "json")
	cmd.Env = append(os.Environ(), settings...)
	line := startLine(b, cmd)
	if err := json.Unmarshal([]byte(line), &d); err != nil {
		b.Fatalf("%q: %v", line, err)
	}
	return cmd.Process.Pid, d
}

func benchFloor(b *testing.B, args ...string) (pid int, address string) {
	b.Helper()
	cmd := exec.Command("floor", args...) // this test binary under another name, see TestMain
	line := startLine(b, cmd)
	return cmd.Process.Pid, "http://" + strings.TrimSpace(line)
}

func startLine(b *testing.B, cmd *exec.Cmd) string {
	b.Helper()
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil {
		b.Fatal(err)
	}
	return line
}

var benchClient = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}

func ask(res *http.Response, err error) ([]byte, error) {
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err == nil && res.StatusCode != http.StatusOK {
		err = fmt.Errorf("status %d: %s", res.StatusCode, body)
	}
	return body, err
}

func repeatGet(address string) func(int) func() error {
	return func(int) func() error {
		return func() error { _, err := ask(benchClient.Get(address)); return err }
	}
}

func repeatForm(base string, form url.Values) func(int) func() error {
	return func(int) func() error {
		return func() error { _, err := ask(benchClient.PostForm(base+"/token", form)); return err }
	}
}

// refreshing gives each worker a session of its own at one of the servers, which lives on from one
// measurement to the next.
func refreshing(b testing.TB, d demo, bases ...string) func(int) func() error {
	var mu sync.Mutex
	current := map[int]string{}
	step := func(worker int, form url.Values) (string, error) {
		body, err := ask(benchClient.PostForm(bases[worker%len(bases)]+"/token", form))
		if err != nil {
			return "", err
		}
		var tokens struct {
			RefreshToken string `json:"refresh_token"`
		}
		return tokens.RefreshToken, json.Unmarshal(body, &tokens)
	}
	return func(worker int) func() error {
		mu.Lock()
		token := current[worker]
		mu.Unlock()
		if token == "" {
			var err error
			if token, err = step(worker, d.login()); err != nil { // one after the other, outside what is measured
				b.Fatal(err)
			}
		}
		return func() (err error) {
			if token, err = step(worker, d.refresh(token)); err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			current[worker] = token
			return nil
		}
	}
}

// underLoad has workers ask again and again while measure looks; requests counts what was answered.
func underLoad(b *testing.B, workers int, work func(worker int) func() error, measure func(requests func() int64)) {
	b.Helper()
	var done atomic.Int64
	stop := make(chan struct{})
	var all sync.WaitGroup
	for i := range workers {
		one := work(i)
		all.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if err := one(); err != nil {
					b.Error(err)
					return
				}
				done.Add(1)
			}
		})
	}
	time.Sleep(500 * time.Millisecond) // warm-up
	measure(done.Load)
	close(stop)
	all.Wait()
}

// cpuPerRequest loads a server and returns the processor seconds that its process spent on each request.
func cpuPerRequest(b *testing.B, pid, workers int, work func(int) func() error) (seconds float64) {
	b.Helper()
	underLoad(b, workers, work, func(requests func() int64) {
		counted, cpu := requests(), cpuSeconds(b, pid)
		time.Sleep(2 * time.Second)
		counted, cpu = requests()-counted, cpuSeconds(b, pid)-cpu
		if counted == 0 {
			b.Fatal("no request was answered")
		}
		seconds = cpu / float64(counted)
	})
	return seconds
}

// cpuSeconds is the user and system time of the server so far, and of the process that hashes for it (proc_pid_stat(5),
// fields 14 and 15).
func cpuSeconds(b *testing.B, server int) float64 {
	b.Helper()
	var ticks float64
	for _, pid := range withHashProcess(b, server) {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			b.Fatal(err)
		}
		for _, field := range afterName(data)[11:13] {
			n, err := strconv.ParseFloat(field, 64)
			if err != nil {
				b.Fatal(err)
			}
			ticks += n
		}
	}
	return ticks / 100 // USER_HZ
}

func withHashProcess(t testing.TB, server int) []int {
	if pid := hashProcess(t, server); pid != 0 {
		return []int{server, pid}
	}
	return []int{server}
}

// residentMiB is the memory of the server and of the process that hashes for it. The program itself, which both have in the
// same pages, is counted once.
func residentMiB(b *testing.B, server int) float64 {
	b.Helper()
	var pages float64
	for _, pid := range withHashProcess(b, server) {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
		if err != nil {
			b.Fatal(err)
		}
		fields := strings.Fields(string(data))
		resident, err := strconv.ParseFloat(fields[1], 64)
		if err != nil {
			b.Fatal(err)
		}
		shared, err := strconv.ParseFloat(fields[2], 64)
		if err != nil {
			b.Fatal(err)
		}
		if pages += resident; pid != server {
			pages -= shared
		}
	}
	return pages * float64(os.Getpagesize()) / (1 << 20)
}
