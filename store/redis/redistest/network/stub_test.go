package network

import (
	"bufio"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/redis/go-redis/v9"
)

func TestStub(t *testing.T) {
	t.Parallel()
	s := Stub(t, func(args []string) string {
		switch strings.ToUpper(args[0]) {
		case "PING":
			return "+PONG\r\n"
		case "GET":
			return "$5\r\n" + args[1][:5] + "\r\n"
		case "SET":
			return "-READONLY You can't write against a read only replica.\r\n"
		}
		return ""
	})
	// go-redis as it comes: all of its set-up has to pass.
	c := redis.NewClient(&redis.Options{Addr: s.Addr(), Password: "secret", DB: 3, ClientName: "me", MaxRetries: -1})
	defer c.Close()
	if err := c.Ping(t.Context()).Err(); err != nil {
		t.Fatal(err)
	}
	if got, err := c.Get(t.Context(), "a\r\n*9\r\n").Result(); got != "a\r\n*9" || err != nil {
		t.Errorf("GET: got %q and %v", got, err)
	}
	for range 2 {
		if err := c.Set(t.Context(), "k", "v", 0).Err(); !redis.IsReadOnlyError(err) {
			t.Errorf("SET: got %v, want READONLY", err)
		}
	}
	if err := c.Del(t.Context(), "k").Err(); !errors.Is(err, io.EOF) {
		t.Errorf("an empty answer: got %v, want EOF", err)
	}
	for name, want := range map[string]int{"set": 2, "GET": 1, "Del": 1, "auth": 1, "select": 1, "eval": 0} {
		if got := s.Count(name); got != want && (name != "auth" && name != "select" || got < want) {
			t.Errorf("count of %s: got %d, want %d", name, got, want)
		}
	}
}

func TestReadCommandRefusesOtherThings(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"PING\r\n", "*1\n$4\r\nPING\r\n", "*x\r\n", "*-1\r\n", "*1\r\n+OK\r\n", "*1\r\n$4\r\nPINGS\r\n", "*9999999\r\n", "*1\r\n$4\r\nPI", "\n"} {
		if got, err := readCommand(bufio.NewReader(strings.NewReader(text))); err == nil {
			t.Errorf("%q: got %q, want an error", text, got)
		}
	}
}
