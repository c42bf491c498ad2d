package redistest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"signet/store/redis/redistest/network"
)

// Config describes a server. The zero Config is a server without persistence, password or
// TLS.
type Config struct {
	Conf     []string // further lines of redis.conf; they win over ours
	Persist  bool     // an append-only file, synced before each answer: what was answered survives Kill
	Env      []string // additional environment variables of the process, NAME=VALUE
	Dir      string   // the data of an earlier server; empty means a new temporary directory
	Password string   // for clients and between servers; empty means none
	TLS      *TLS     // nil means plain TCP
}

// Server is a redis-server or redis-sentinel process that can be ended and started again in place.
// Its methods may be called from several goroutines; those that can fail end the test, see the
// package comment.
type Server struct {
	t       testing.TB
	config  Config
	program string
	dir     string
	port    int
	admin   *redis.Client

	mu      sync.Mutex
	process *process // guarded by mu; the last run, which may have ended
	frozen  bool     // guarded by mu
}

// Start starts one server and returns when it answers.
func Start(t testing.TB, c Config) *Server {
	t.Helper()
	return start(t, serverProgram, c, func(port int) []string { return serverConf(c, port) })
}

func serverConf(c Config, port int) []string {
	lines := append(endpointConf(c.TLS, port),
		`save ""`,
		"enable-debug-command yes",
		// By way of a file, because a master that sends its data directly calls a replica online up
		// to a second before it sends it any commands: WAIT would not count on it yet.
		"repl-diskless-sync no",
		"repl-ping-replica-period 1",
	)
	if c.Persist {
		lines = append(lines, "appendonly yes", "appendfsync always")
	}
	if c.Password != "" {
		lines = append(lines, "requirepass "+c.Password, "masterauth "+c.Password)
	}
	return append(lines, c.Conf...)
}

func endpointConf(c *TLS, port int) []string {
	lines := []string{"bind 127.0.0.1", "protected-mode no", "daemonize no"}
	if c == nil {
		return append(lines, fmt.Sprint("port ", port))
	}
	return append(lines, c.conf(port)...)
}

// start runs program with what conf returns for a port, and for another port if that one was taken
// between the look and the start.
func start(t testing.TB, program string, c Config, conf func(port int) []string) *Server {
	t.Helper()
	Need(t)
	s := &Server{t: t, config: c, program: program, dir: c.Dir}
	if s.dir == "" {
		s.dir = t.TempDir()
	}
	t.Cleanup(s.end)
	for attempt := 1; ; attempt++ {
		s.port = network.FreePort(t)
		s.write(conf(s.port))
		s.admin = adminClient(s.Options())
		err := s.run()
		if err == nil {
			return s
		}
		if attempt == 5 || !s.taken() {
			t.Fatalf("starting %s: %v", program, err)
		}
		s.admin.Close()
	}
}

func (s *Server) write(conf []string) {
	s.t.Helper()
	text := strings.Join(slices.Concat(conf, []string{"dir " + s.dir, ""}), "\n")
	if err := os.WriteFile(s.confFile(), []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *Server) confFile() string { return filepath.Join(s.dir, "redis.conf") }

// run starts the process and waits until it answers.
func (s *Server) run() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	p, err := startProcess(s.dir, s.config.Env, s.program, s.confFile())
	if err != nil {
		return err
	}
	s.process, s.frozen = p, false
	waitFor(s.t, s.program+" to answer", patience, func() error {
		if p.ended() {
			return nil
		}
		return s.answers(p.pid())
	})
	if p.ended() {
		return fmt.Errorf("it ended at once:\n%s", s.Output())
	}
	return nil
}

// answers returns nil once the process answers at our address, and has loaded its data. The plain
// connection goes first because go-redis logs each that fails.
func (s *Server) answers(pid int) error {
	c, err := net.Dial("tcp", s.Addr())
	if err != nil {
		return err
	}
	c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := s.admin.Ping(ctx).Err(); err != nil {
		return err
	}
	info, err := s.admin.Info(ctx, "server").Result()
	if err != nil {
		return err
	}
	if got := parseInfo(info)["process_id"]; got != strconv.Itoa(pid) {
		return fmt.Errorf("process %s answers, not %d", got, pid)
	}
	return nil
}

// end is the last thing that happens to the server.
func (s *Server) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process != nil {
		if s.frozen || !s.process.terminate(500*time.Millisecond) {
			s.process.kill()
		}
	}
	if s.admin != nil {
		s.admin.Close()
	}
	if s.t.Failed() {
		s.t.Logf("output of %s at %s:\n%s", s.program, s.Addr(), s.Output())
	}
}

// Addr returns host and port. They stay the same across restarts.
func (s *Server) Addr() string { return network.Loopback(s.port) }

// Dir returns where the server keeps its data.
func (s *Server) Dir() string { return s.dir }

// taken reports whether the last run failed because another process had the port.
func (s *Server) taken() bool {
	output := s.Output()
	return strings.Contains(output[max(0, len(output)-2000):], "Address already in use")
}

// Output returns what the server has logged, or the end of it.
func (s *Server) Output() string {
	const most = 32 << 10
	b, err := os.ReadFile(outputFile(s.dir))
	if err != nil {
		return err.Error()
	}
	return string(b[max(0, len(b)-most):])
}

// Options returns what a client needs to connect, for a test that wants its own timeouts.
func (s *Server) Options() *redis.Options {
	o := &redis.Options{
		Addr:     s.Addr(),
		Password: s.config.Password,
		// A feature of managed Redis, for which no server here has the command.
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if s.config.TLS != nil {
		o.TLSConfig = s.config.TLS.Files.Client(s.config.TLS.Files.ClientPair)
	}
	return o
}

// adminClient is for the test's own commands. It connects whatever certificate the
// server shows: that is for the code under test to check.
func adminClient(o *redis.Options) *redis.Client {
	o.Protocol = 2 // replies are plain lists
	o.PoolSize = 4
	if o.TLSConfig != nil {
		o.TLSConfig.InsecureSkipVerify = true
	}
	return redis.NewClient(o)
}

// Client returns a new client, which is closed when the test ends.
func (s *Server) Client() *redis.Client {
	c := redis.NewClient(s.Options())
	s.t.Cleanup(func() { c.Close() })
	return c
}

// Try runs a command. Replies are those of RESP2: a map is a list of keys and values. A nil reply
// is nil without an error. It never ends the test, and does not wait for a process that is down or
// frozen.
func (s *Server) Try(args ...any) (any, error) {
	if !s.responsive() {
		return nil, fmt.Errorf("%s at %s is down or frozen", s.program, s.Addr())
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	reply, err := s.admin.Do(ctx, args...).Result()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	return reply, err
}

// Do is Try for a command that has to succeed.
func (s *Server) Do(args ...any) any {
	s.t.Helper()
	reply, err := s.Try(args...)
	if err != nil {
		s.t.Fatalf("%v at %s: %v", args, s.Addr(), err)
	}
	return reply
}

// Info returns a section of INFO by field name.
func (s *Server) Info(section string) map[string]string {
	s.t.Helper()
	return parseInfo(fmt.Sprint(s.Do("info", section)))
}

// replication is the section replication of INFO for a server that may be down; nothing is known then.
func replication(s *Server) map[string]string {
	reply, err := s.Try("info", "replication")
	if err != nil {
		return nil
	}
	return parseInfo(fmt.Sprint(reply))
}

func parseInfo(text string) map[string]string {
	fields := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			fields[name] = value
		}
	}
	return fields
}
