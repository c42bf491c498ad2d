package redis

import (
	"context"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"signet/store"
	"signet/store/codec"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
	"signet/store/redis/record"
	"signet/store/redis/redistest/network"
	"signet/store/redis/script"
)

// replies returns what a stub answers to everything but the store's looking around.
type replies struct {
	*network.StubServer
	to     atomic.Pointer[func(args []string) string] // nil: as an empty server
	broken atomic.Int64                               // answers given by to
}

func newReplies(t *testing.T) *replies {
	t.Helper()
	r := &replies{}
	r.StubServer = network.Stub(t, func(args []string) string {
		switch strings.ToLower(args[0]) {
		case "subscribe":
			return fmt.Sprintf("*3\r\n$9\r\nsubscribe\r\n$%d\r\n%s\r\n:1\r\n", len(args[1]), args[1])
		case "ping":
			return "*2\r\n$4\r\npong\r\n$0\r\n\r\n"
		}
		if to := r.to.Load(); to != nil {
			r.broken.Add(1)
			return (*to)(args)
		}
		if strings.EqualFold(args[0], "info") {
			return bulk("run_id:stub\r\nrole:master\r\nconnected_slaves:0\r\n")
		}
		return "$-1\r\n"
	})
	return r
}

func (r *replies) always(reply string) {
	to := func([]string) string { return reply }
	r.to.Store(&to)
}

func bulk(s string) string { return fmt.Sprintf("$%d\r\n%s\r\n", len(s), s) }

// TestErrorReplies: whatever Redis sends instead of an answer, every method reports that nothing is
// known: the edge makes 503 of it, and neither a client's mistake nor the end of a session.
func TestErrorReplies(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"READONLY You can't write against a read only replica.",
		"LOADING Redis is loading the dataset in memory",
		"MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.",
		"NOREPLICAS Not enough good replicas to write.",
		"TRYAGAIN Multiple keys request during rehashing of slot",
		"OOM command not allowed when used memory > 'maxmemory'.",
		"CLUSTERDOWN Hash slot not served",
		"MISCONF Redis is configured to save RDB snapshots, but it's currently unable to persist to disk.",
		"BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.",
		"NOAUTH Authentication required.",
		"WRONGPASS invalid username-password pair or user is disabled.",
		"NOPERM this user has no permissions to run the 'evalsha' command",
		"NOSCRIPT No matching script. Please use EVAL.",
		"WRONGTYPE Operation against a key holding the wrong kind of value",
		"CROSSSLOT Keys in request don't hash to the same slot",
		"MOVED 1 127.0.0.1:1",
		"ASK 1 127.0.0.1:1",
		"EXECABORT Transaction discarded because of previous errors.",
		"ERR max number of clients reached",
		"ERR unknown command 'EVALSHA'",
		"ERR Error running script (call to f_0): @user_script: 1: -OOM command not allowed",
		"SOMETHING that no version says yet",
		"",
	} {
		t.Run(code(text), func(t *testing.T) { t.Parallel(); everyMethodFails(t, "-"+text+"\r\n", 5*time.Second) })
	}
}

func code(text string) string {
	if code, _, found := strings.Cut(text, " "); found && code != "ERR" {
		return code
	}
	return text
}

// TestBrokenReplies: as above, of replies that end early or are none.
func TestBrokenReplies(t *testing.T) {
	t.Parallel()
	for name, reply := range map[string]string{
		"connection closed": "",
		"another protocol":  "HTTP/1.1 400 Bad Request\r\n\r\n",
		"a negative length": "$-7\r\nx\r\n",
		"a huge length":     "*999999999999999999999\r\n",
		"line feed only":    "\n",
	} {
		t.Run(name, func(t *testing.T) { t.Parallel(); everyMethodFails(t, reply, 5*time.Second) })
	}
	for name, reply := range map[string]string{
		"truncated list":   "*3\r\n$7\r\nrotated\r\n",
		"truncated string": "$100\r\nrotated",
		"truncated line":   ":1",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var waiting sync.WaitGroup
			for few := range slices.Chunk(slices.Concat(methods, upkeep), 6) { // each waits for the end of the reply
				waiting.Go(methodsFail(t, few, reply, 100*time.Millisecond))
			}
			waiting.Wait()
		})
	}
}

func everyMethodFails(t *testing.T, reply string, timeout time.Duration) {
	methodsFail(t, slices.Concat(methods, upkeep), reply, timeout)()
}

// methodsFail opens a store and returns the check that the methods fail with the reply.
func methodsFail(t *testing.T, list []method, reply string, timeout time.Duration) func() {
	stub := newReplies(t)
	s := mustOpen(t, rest(Config{Addrs: []string{stub.Addr()}, Timeout: timeout}))
	stub.always(reply)
	x := newSubject()
	return func() {
		for _, m := range list {
			for before := stub.broken.Load(); stub.broken.Load() == before; { // on a busy machine a connection may take too long
				got, err := m.call(t.Context(), s, x)
				if !isUnavailable(err) {
					t.Errorf("%s: got %v and error %v, want ErrUnavailable", m.name, got, err)
					return
				}
				s.deps.Conn.ForgetFailures()
			}
		}
	}
}

// odd are replies of which none is what a script answers: too short, too long, of words or kinds
// that it does not have.
var odd = []struct {
	shape conn.Shape
	reply string
}{
	{conn.NumberReply, ":7\r\n"},
	{conn.TextReply, "+OK\r\n"},
	{conn.TextReply, "$4\r\njunk\r\n"},
	{conn.TextReply, "$-1\r\n"},
	{conn.TextReply, "*-1\r\n"},
	{conn.ListReply, "*0\r\n"},
	{conn.ListReply, "*1\r\n$-1\r\n"},
	{conn.ListReply, "*1\r\n:1\r\n"},
	{conn.ListReply, "*1\r\n$7\r\nrotated\r\n"},
	{conn.ListReply, "*1\r\n$2\r\nok\r\n"},
	{conn.ListReply, "*2\r\n$2\r\nok\r\n:1\r\n"},
	{conn.ListReply, "*2\r\n$7\r\nrotated\r\n$1\r\nx\r\n"},
	{conn.ListReply, "*3\r\n$7\r\nrotated\r\n$1\r\nx\r\n$1\r\nx\r\n"},
	{conn.ListReply, "*3\r\n$2\r\nok\r\n$0\r\n\r\n$0\r\n\r\n"},
	{conn.ListReply, "*4\r\n$7\r\nrotated\r\n$1\r\nx\r\n$1\r\nx\r\n$1\r\nx\r\n"},
	{conn.NestedReply, "*1\r\n*0\r\n"},
	{conn.NestedReply, "*1\r\n*2\r\n$3\r\n1-0\r\n*1\r\n$1\r\ne\r\n"},
	{conn.NestedReply, "*3\r\n$7\r\nrotated\r\n*0\r\n*0\r\n"},
	{conn.NestedReply, "*2\r\n$7\r\nrotated\r\n-ERR inside\r\n"},
}

// TestOddReplies: a reply of another kind than the command's is an error; one of the right kind with
// nonsense in it is one wherever that can be seen. Nothing panics.
func TestOddReplies(t *testing.T) {
	t.Parallel()
	stub := newReplies(t)
	s := mustOpen(t, rest(Config{Addrs: []string{stub.Addr()}, Timeout: 5 * time.Second}))
	for _, o := range odd {
		x := newSubject() // a session that was revoked is remembered, and not asked for again
		stub.always(o.reply)
		for _, m := range methods {
			before := stub.broken.Load()
			got, err := m.call(t.Context(), s, x)
			if stub.broken.Load() == before {
				t.Errorf("%s: nothing was asked", m.name)
			}
			fits := o.shape == m.reads || m.reads == conn.NestedReply && o.shape == conn.ListReply
			if !fits && !isUnavailable(err) {
				t.Errorf("%s, answered %q: got %v and error %v, want ErrUnavailable", m.name, o.reply, got, err)
			}
			if m.name == "Rotate" && !isUnavailable(err) { // a wrong outcome signs somebody out
				t.Errorf("Rotate, answered %q: got %v and error %v, want ErrUnavailable", o.reply, got, err)
			}
			if m.name == "UseAssertion" && err == nil && o.reply != "+OK\r\n" { // somebody gets in
				t.Errorf("UseAssertion, answered %q: got no error", o.reply)
			}
			s.Queries = record.New(s.deps)
			s.deps.Conn.ForgetFailures()
		}
	}
}

// TestOddScriptReplies: as above where a script is the second thing that a method asks for.
func TestOddScriptReplies(t *testing.T) {
	t.Parallel()
	stub := newReplies(t)
	s := mustOpen(t, rest(Config{Addrs: []string{stub.Addr()}, Timeout: 5 * time.Second}))
	x := newSubject()
	client, err := codec.EncodeClient(x.client, store.Format2)
	if err != nil {
		t.Fatal(err)
	}
	// ask calls a method, and the script is answered by reply; asked is false if it did not come to that.
	ask := func(m method, sc *conn.Script, reply string) (met bool, got any, err error) {
		var asked atomic.Bool
		x.session = newSubject().session // one that was revoked is remembered, and not asked for again
		to := func(args []string) string {
			switch name := strings.ToLower(args[0]); {
			case name == "evalsha" && args[1] == sc.SHA:
				asked.Store(true)
				return reply
			case name == "evalsha" && args[1] == script.DeleteUser.SHA:
				return "*2\r\n$2\r\nok\r\n" + bulk(s.deps.Codec.EncodeUser(x.user))
			case name == "get" && args[1] == s.deps.Key.User(x.user.ID):
				return bulk(s.deps.Codec.EncodeUser(x.user))
			case name == "evalsha" && args[1] == script.UpdateUser.SHA:
				return "*2\r\n$2\r\nok\r\n:1\r\n"
			case name == "evalsha" && args[1] == conn.WriteScript.SHA && args[4] == "set":
				return "+ok\r\n"
			case name == "get":
				return bulk(s.deps.Codec.EncodeName(x.user.Username, layout.NameOf(x.user)))
			case name == "hget":
				return bulk(string(client))
			}
			return ":1\r\n"
		}
		stub.to.Store(&to)
		got, err = m.call(t.Context(), s, x)
		s.deps.Conn.ForgetFailures()
		return asked.Load(), got, err
	}
	for _, sc := range scripts {
		met := false
		for _, m := range methods {
			for _, o := range odd {
				asked, got, err := ask(m, sc, o.reply)
				if !asked {
					break
				}
				met = true
				if !mayAnswer(sc, o.reply, o.shape) && !isUnavailable(err) {
					t.Errorf("%s, script %.40q answered %q: got %v and error %v, want ErrUnavailable", m.name, sc.Source, o.reply, got, err)
				}
			}
		}
		if !met && sc != script.SweepSessions && sc != script.KeptEvents && sc != script.Rewrite { // they follow what the stub does not have
			t.Errorf("no method has asked for the script %.60q", sc.Source[max(strings.LastIndex(sc.Source, "\n-- "), 0):])
		}
	}
}

// mayAnswer reports whether a reply of the table above could be that of the script, or does not matter.
func mayAnswer(sc *conn.Script, reply string, kind conn.Shape) bool {
	switch sc {
	case script.TakeName:
		return reply == "$-1\r\n" || reply == "*-1\r\n"
	case script.ClaimLogouts:
		return reply == "*0\r\n"
	case script.UpdateUser, script.RevokeSession, script.Allow:
		return reply == "*2\r\n$2\r\nok\r\n:1\r\n"
	case conn.WriteScript: // its replies are those of the commands, see TestOddReplies
		return true
	case script.CopyCredential: // what was asked for is done without it
		return true
	}
	return sc.Answers == conn.NumberReply && kind == conn.NumberReply
}

// TestNothingListens: nobody at the address, or nobody who answers at all.
func TestNothingListens(t *testing.T) {
	t.Parallel()
	mute, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer mute.Close()
	closed := newReplies(t)
	for name, addr := range map[string]string{"mute": mute.Addr().String(), "no such port": "127.0.0.1:1", "no such host": "signet.invalid:6379"} {
		begun := time.Now()
		_, err := Open(t.Context(), Config{Addrs: []string{addr}})
		if !isUnavailable(err) {
			t.Errorf("Open, %s: got error %v, want ErrUnavailable", name, err)
		}
		if took := time.Since(begun); took > slow {
			t.Errorf("Open, %s: it took %v", name, took)
		}
	}
	s := mustOpen(t, rest(Config{Addrs: []string{closed.Addr()}}))
	s.Close()
	for _, m := range slices.Concat(methods, upkeep) {
		if _, err := m.call(context.Background(), s, newSubject()); !isUnavailable(err) {
			t.Errorf("%s of a closed store: got error %v, want ErrUnavailable", m.name, err)
		}
	}
}

// slow is longer than any call may take: the sum of its bounds is 1.7 s, and the machine may be busy.
const slow = 3 * time.Second
