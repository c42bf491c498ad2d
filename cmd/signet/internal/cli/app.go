package cli

import (
	"io"
	"os"
	"slices"
	"strings"
	"time"
)

// App carries one invocation of the command line.
type App struct {
	In         io.Reader
	Out        io.Writer // what was asked for
	Err        io.Writer // messages, prompts and progress
	Environ    []string  // as os.Environ returns it
	Format     Format    // the flag -o
	Connection Connection
	Version    string           // of the program
	Now        func() time.Time // the clock of a server; nil is the machine's
	IsProgram  bool             // this process is the program itself, which can be started again, and no test of a package
}

// Connection holds the flags that select a server.
type Connection struct {
	Config    string // a file
	Socket    string // a path
	Admin     string // a URL
	TokenFile string
}

// Clock returns the time by the clock of App.Now.
func (app *App) Clock() time.Time {
	if app.Now != nil {
		return app.Now()
	}
	return time.Now()
}

// Getenv returns the last value that the environment has for name, or "".
func (app *App) Getenv(name string) string {
	for _, setting := range slices.Backward(app.Environ) {
		if value, ok := strings.CutPrefix(setting, name+"="); ok {
			return value
		}
	}
	return ""
}

// fileOf returns v if it is a file, or nil.
func fileOf(v any) *os.File {
	f, _ := v.(*os.File)
	return f
}
