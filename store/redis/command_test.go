package redis

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
	"signet/store/redis/redistest"
	"signet/store/redis/script"
)

// TestCommands listens to all that the store asks a server for, and holds it against what it must
// not do: steps across slots, walks over keys on the way of a request, commands of new versions.
func TestCommands(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	heard := monitor(t, server)
	s := mustOpen(t, Config{Addrs: []string{server.Addr()}, Prefix: newPrefix(), Timeout: 10 * time.Second})
	x := newSubject()
	x.populate(t, s)
	for _, m := range methods {
		if _, err := m.call(t.Context(), s, x); errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("%s: %v", m.name, err)
		}
		s.reapply(t.Context())
	}
	requests := heard(t)
	another := newSubject()
	another.user.Username, another.client.ID = "swept", "swept"
	another.populate(t, s)
	for _, m := range upkeep {
		if _, err := m.call(t.Context(), s, x); errors.Is(err, store.ErrUnavailable) {
			t.Fatalf("%s: %v", m.name, err)
		}
	}
	brokenImport(t, server)
	upkeep := heard(t)

	for _, c := range requests {
		if c.inScript && c.name() == "time" { // it costs nothing there
			continue
		}
		switch c.name() {
		case "scan", "keys", "sscan", "hscan", "zscan", "randomkey", "flushdb", "flushall", "sort", "multi", "script":
			t.Errorf("a request asks for %q", c.args)
		}
	}
	for _, run := range scriptRuns(slices.Concat(requests, upkeep)) {
		run.check(t)
	}
	for _, c := range slices.Concat(requests, upkeep) {
		checkDeadline(t, c)
	}
	asked, ran := map[string]bool{}, map[string]bool{}
	for _, c := range slices.Concat(requests, upkeep) {
		asked[c.name()] = true
		if c.name() == "evalsha" {
			ran[c.args[1]] = true
		}
		if newer := newArgument(c.args); newer != "" {
			t.Errorf("%q uses %s, which 6.2 does not have", c.args, newer)
		}
	}
	for name := range asked {
		sinceAtMost62(t, server, name)
	}
	for right := range strings.FieldsSeq(recommendedUser(t, "signet", "")) {
		command, granted := strings.CutPrefix(right, "+")
		elsewhere := []string{"ping", "select", "wait", "cluster|slots", "asking", "config|get", "hvals"} // what MONITOR hides, what one server is not asked, and what the version before asks beside this one
		if granted && !asked[command] && !slices.Contains(elsewhere, command) {
			t.Errorf("users.acl grants %s, which nothing uses", command)
		}
	}
	for _, sc := range scripts {
		if !ran[sc.SHA] {
			t.Errorf("nothing has run the script %.60q", sc.Source)
		}
	}
	files, err := filepath.Glob("script/*.lua")
	if err != nil || len(files)-4 != len(scripts) { // record.lua, limit.lua, tally.lua, outbox.lua and remove_logout.lua are parts of others; write.lua is in package conn
		t.Errorf("there are %d files of scripts and %d scripts; error %v", len(files), len(scripts), err)
	}
}

// checkDeadline: what changes something is a script with a deadline, a message to other replicas, or the
// barrier, which means nothing.
func checkDeadline(t *testing.T, c heardCommand) {
	t.Helper()
	reads := []string{"get", "hget", "hmget", "hgetall", "hvals", "exists", "pttl", "zrangebylex", "xrange", "xrevrange", "scan", "time", "info", "config", "wait", "publish", "subscribe", "auth", "hello", "select", "ping", "readonly"}
	switch name := c.name(); {
	case c.inScript || slices.Contains(reads, name):
	case name == "evalsha" || name == "eval":
		for _, sc := range []*conn.Script{script.ReadEvents, script.LogoutQueue} { // these only read
			if c.args[1] == sc.SHA || c.args[1] == sc.Source {
				return
			}
		}
		left := time.Minute
		if ms, err := strconv.ParseInt(c.args[len(c.args)-1], 10, 64); err == nil {
			left = time.Until(time.UnixMilli(ms))
		}
		if left < -10*time.Second || left > 15*time.Second {
			t.Errorf("the script of %.60q has no deadline", c.args)
		}
	case name == "set" && strings.Contains(c.args[1], ":b:{"):
	default:
		t.Errorf("%.80q has no deadline", c.args)
	}
}

// brokenImport has an import clear away what an earlier one has left.
func brokenImport(t *testing.T, server *redistest.Server) {
	t.Helper()
	s := mustOpen(t, rest(Config{Addrs: []string{server.Addr()}, Prefix: newPrefix(), Timeout: 10 * time.Second}))
	user, broken := newSubject().user, errors.New("the file ends here")
	for _, end := range []error{broken, nil} {
		err := s.Import(t.Context(), store.Manifest{Install: store.Install{ID: "x"}}, func(yield func(store.Record, error) bool) {
			_ = yield(store.Record{Client: &store.Client{ID: "app"}}, nil) && yield(store.Record{User: &user}, end)
		})
		if !errors.Is(err, end) {
			t.Fatalf("Import: got error %v, want %v", err, end)
		}
	}
}

// heardCommand is one line of MONITOR.
type heardCommand struct {
	inScript bool
	args     []string
}

func (c heardCommand) name() string { return strings.ToLower(c.args[0]) }

// monitor listens to a server. Each call of heard returns what came since the one before.
func monitor(t *testing.T, server *redistest.Server) (heard func(t *testing.T) []heardCommand) {
	t.Helper()
	c, err := net.Dial("tcp", server.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	fmt.Fprint(c, "MONITOR\r\n")
	lines := bufio.NewReader(c)
	if ok, err := lines.ReadString('\n'); ok != "+OK\r\n" {
		t.Fatalf("MONITOR: got %q and %v", ok, err)
	}
	marks := 0
	return func(t *testing.T) (all []heardCommand) {
		t.Helper()
		marks++
		mark := fmt.Sprint("mark ", marks)
		server.Do("echo", mark)
		for {
			line, err := lines.ReadString('\n')
			if err != nil {
				t.Fatal(err)
			}
			// +1700000000.123456 [0 127.0.0.1:4711] "get" "key", or [0 lua] in the place of the address
			about, command, ok := strings.Cut(strings.TrimSpace(line), "] ")
			if !ok {
				t.Fatalf("MONITOR says %q", line)
			}
			heard := heardCommand{inScript: strings.HasSuffix(about, " lua")}
			for rest := command; rest != ""; rest = strings.TrimPrefix(rest, " ") {
				quoted, err := strconv.QuotedPrefix(rest)
				if err != nil {
					t.Fatalf("MONITOR says %q: %v", line, err)
				}
				arg, err := strconv.Unquote(quoted)
				if err != nil {
					t.Fatalf("MONITOR says %q: %v", line, err)
				}
				heard.args = append(heard.args, arg)
				rest = rest[len(quoted):]
			}
			if heard.name() == "echo" && heard.args[1] == mark {
				return all
			}
			all = append(all, heard)
		}
	}
}

// scriptRun is a script as it was called, and what it called.
type scriptRun struct {
	heardCommand
	inner [][]string
}

func scriptRuns(all []heardCommand) (runs []scriptRun) {
	for _, c := range all {
		switch {
		case c.inScript:
			runs[len(runs)-1].inner = append(runs[len(runs)-1].inner, c.args)
		case c.name() == "evalsha" || c.name() == "eval":
			runs = append(runs, scriptRun{heardCommand: c})
		}
	}
	return runs
}

// check: all keys are in one slot, by a tag that they show, and the script touches no others.
func (r scriptRun) check(t *testing.T) {
	t.Helper()
	n, err := strconv.Atoi(r.args[2])
	if err != nil || n == 0 || len(r.args) < 3+n {
		t.Errorf("%.80q: it has no keys", r.args)
		return
	}
	keys := r.args[3 : 3+n]
	for _, key := range keys {
		if redistest.KeySlot(key) != redistest.KeySlot(keys[0]) || layout.TagOf(key) != layout.TagOf(keys[0]) || layout.TagOf(key) == "" {
			t.Errorf("the script of %.60q has keys %q, want one tag", r.args[1], keys)
		}
	}
	for _, args := range r.inner {
		if strings.EqualFold(args[0], "time") {
			continue
		}
		if !slices.Contains(keys, args[1]) {
			t.Errorf("the script of %.60q calls %.60q, whose key is not one of %q", r.args[1], args, keys)
		}
	}
}

// newArgument names an argument that Redis 6.2 does not know.
func newArgument(args []string) string {
	has := func(from int, words ...string) string {
		for _, arg := range args[min(from, len(args)):] {
			if slices.Contains(words, strings.ToUpper(arg)) {
				return arg
			}
		}
		return ""
	}
	switch strings.ToLower(args[0]) {
	case "expire", "pexpire", "expireat", "pexpireat":
		return has(3, "NX", "XX", "GT", "LT")
	case "set": // NX with GET is of 7.0, comparisons of 8.4
		if has(3, "GET") != "" {
			return has(3, "NX")
		}
		return has(3, "IFEQ", "IFNE", "IFDEQ", "IFDNE")
	case "xadd": // with a number to be counted on, as in 1-*, since 7.0
		if i := slices.IndexFunc(args, func(arg string) bool { return strings.HasSuffix(arg, "-*") }); i > 0 {
			return args[i]
		}
		return has(2, "KEEPREF", "DELREF", "ACKED")
	}
	return ""
}

// sinceAtMost62 asks the server, which is newer, since when it has had a command.
func sinceAtMost62(t *testing.T, server *redistest.Server, name string) {
	t.Helper()
	docs, _ := server.Do("command", "docs", name).([]any)
	if len(docs) != 2 {
		t.Errorf("the server does not know %q", name)
		return
	}
	about, _ := docs[1].([]any)
	for i := 0; i+1 < len(about); i += 2 {
		if about[i] != "since" {
			continue
		}
		var major, minor int
		if _, err := fmt.Sscanf(fmt.Sprint(about[i+1]), "%d.%d", &major, &minor); err != nil || major > least[0] || major == least[0] && minor > least[1] {
			t.Errorf("%s is there since %v, want %d.%d at most", name, about[i+1], least[0], least[1])
		}
		return
	}
	t.Errorf("the server does not say since when it has %q", name)
}

// TestRoundTrips: what a request costs is one trip, or two for a login, wherever the keys are. A client
// assertion is one more.
func TestRoundTrips(t *testing.T) {
	t.Parallel()
	server := redistest.Start(t, redistest.Config{})
	cluster := redistest.StartCluster(t, 3, 0)
	for name, cfg := range map[string]Config{
		"server":  {Addrs: []string{server.Addr()}},
		"cluster": {Mode: conn.Cluster, Addrs: cluster.Addrs()},
	} {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			var trips []string
			cfg.Observe = func(_ context.Context, doing string, _ time.Duration, err error) {
				mu.Lock()
				defer mu.Unlock()
				trips = append(trips, doing)
			}
			cfg.Timeout, cfg.Prefix = 10*time.Second, newPrefix()
			s := mustOpen(t, rest(cfg))
			x := newSubject()
			x.populate(t, s)
			for _, m := range methods {
				if !slices.Contains([]string{"Rotate", "BeginLogin", "FinishLogin", "TokenState", "LoadKeyring", "Allow", "ClientsVersion", "StartSession", "RedeemCode", "UseAssertion"}, m.name) {
					continue
				}
				mu.Lock()
				trips = nil
				mu.Unlock()
				if _, err := m.call(context.Background(), s, x); err != nil {
					t.Errorf("%s: %v", m.name, err)
				}
				mu.Lock()
				if len(trips) != 1 {
					t.Errorf("%s: got round trips %q, want one", m.name, trips)
				}
				mu.Unlock()
			}
		})
	}
}
