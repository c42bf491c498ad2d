package main

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/install/installtest"
	"signet/server/servertest"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func TestMain(m *testing.M) {
	cobra.EnableCommandSorting = false
	testscript.Main(m, map[string]func(){"signet": main})
}

// TestScript runs testdata/script against a server without clients and users. Scripts that want one
// say so by the variable SIGNET_ADMIN_SOCKET, which is set; those that do not, unset it.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir:           "testdata/script",
		UpdateScripts: *update,
		Setup:         setupScript,
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits,
			"json":  matchJSON,
			"value": writeValue,
		},
	})
}

func setupScript(env *testscript.Env) error {
	dir, err := os.MkdirTemp("", "signet") // a socket's path must be short
	if err != nil {
		return err
	}
	env.Defer(func() { os.RemoveAll(dir) })
	if err := servertest.WriteKeyPairs(env.WorkDir); err != nil {
		return err
	}
	socket := filepath.Join(dir, "admin.sock")
	stop, err := startAdmin(dir, socket)
	if err != nil {
		return err
	}
	env.Defer(stop)
	env.Setenv("SIGNET_ADMIN_SOCKET", socket)
	env.Setenv("TEST_MASTER_KEY", installtest.Master.Encode())
	env.Setenv("GORACE", "atexit_sleep_ms=0") // a second a process otherwise
	return nil
}

// exits runs signet and checks what it exits with: exits 2 client list --frob.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 {
		ts.Fatalf("usage: exits CODE ARGS…")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	var exit *exec.ExitError
	if err := ts.Exec("signet", args[1:]...); errors.As(err, &exit) {
		got = exit.ExitCode()
	} else {
		ts.Check(err)
	}
	if got != want {
		ts.Fatalf("signet %q exits with %d, want %d", args[1:], got, want)
	}
}

// matchJSON looks into the last output: json clients.0.client_id web. Without a value it checks
// only that something is there, and with ! that nothing is.
func matchJSON(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: json PATH [WANT]")
	}
	got, err := lookJSON(ts.ReadFile("stdout"), args[0])
	switch {
	case neg && err == nil:
		ts.Fatalf("%s is there: %s", args[0], got)
	case neg:
		return
	case err != nil:
		ts.Fatalf("%s: %v", args[0], err)
	case len(args) == 2 && got != args[1]:
		ts.Fatalf("%s: got %s, want %s", args[0], got, args[1])
	}
}

// writeValue writes a value of the JSON in stdout to a file: value FILE keys.0.kid. A step NAME=VALUE takes the first element of
// an array that has such a member: value FILE keys.state=pending.kid.
func writeValue(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: value FILE PATH")
	}
	got, err := lookJSON(ts.ReadFile("stdout"), args[1])
	if err != nil {
		ts.Fatalf("%s: %v", args[1], err)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(got), 0o600))
}

func lookJSON(text, path string) (string, error) {
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		return "", fmt.Errorf("output is not one JSON value: %w", err)
	}
	for step := range strings.SplitSeq(path, ".") {
		var ok bool
		switch x := v.(type) {
		case map[string]any:
			v, ok = x[step]
		case []any:
			if name, want, wanted := strings.Cut(step, "="); wanted {
				i := slices.IndexFunc(x, func(element any) bool {
					members, _ := element.(map[string]any)
					return members[name] == want
				})
				if ok = i >= 0; ok {
					v = x[i]
				}
				break
			}
			var i int
			if i, _ = strconv.Atoi(step); i < len(x) {
				v, ok = x[i], true
			}
		}
		if !ok {
			return "", fmt.Errorf("there is no %s in %s", step, text)
		}
	}
	if s, ok := v.(string); ok {
		return s, nil
	}
	data, err := json.Marshal(v)
	return string(data), err
}
