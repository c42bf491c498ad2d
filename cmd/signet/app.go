package main

import (
	"io"
	"os"
	"strings"
	"time"
)

// stdio is what a command reads from and writes to.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// connection has the flags that say which server is meant.
type connection struct {
	config    string // a file
	socket    string // a path
	admin     string // a URL
	tokenFile string
}

// app is one invocation of the command line.
type app struct {
	stdio
	environ []string
	format  format
	conn    connection
	version string           // of the program
	now     func() time.Time // the clock that a server goes by; nil: the machine's
}

// clock returns the time that the program goes by.
func (a *app) clock() time.Time {
	if a.now != nil {
		return a.now()
	}
	return time.Now()
}

// getenv returns the last value the environment gives the name.
func (a *app) getenv(name string) string {
	for i := len(a.environ) - 1; i >= 0; i-- {
		if value, ok := strings.CutPrefix(a.environ[i], name+"="); ok {
			return value
		}
	}
	return ""
}

// fileOf returns the file behind a reader or writer, or nil.
func fileOf(v any) *os.File {
	f, _ := v.(*os.File)
	return f
}
