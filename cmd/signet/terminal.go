package main

import (
	"strings"

	"golang.org/x/term"
)

// What is drawn on a terminal of another width, or on none, has one of these widths.
const (
	defaultWidth = 100 // where there is no terminal
	leastWidth   = 72
	mostWidth    = 180
)

// columns is the width of the terminal, as far as it makes sense.
func (a *app) columns() int {
	if tty := fileOf(a.out); tty != nil && term.IsTerminal(int(tty.Fd())) {
		if width, _, err := term.GetSize(int(tty.Fd())); err == nil {
			return min(max(width, leastWidth), mostWidth)
		}
	}
	return defaultWidth
}

// unicode reports whether the reader's locale says that more than ASCII can be shown.
func (a *app) unicode() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if value := a.getenv(name); value != "" {
			value = strings.ToLower(value)
			return strings.Contains(value, "utf-8") || strings.Contains(value, "utf8")
		}
	}
	return false
}

// notForReading refuses to fill a terminal with what is not for people.
func (a *app) notForReading(what string) error {
	if tty := fileOf(a.out); tty != nil && term.IsTerminal(int(tty.Fd())) {
		return misuse("%s is not for reading; send standard output to a file or a pipe", what)
	}
	return nil
}
