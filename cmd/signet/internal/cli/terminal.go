package cli

import (
	"strings"

	"golang.org/x/term"
)

// Bounds of Columns.
const (
	DefaultWidth = 100 // where there is no terminal
	LeastWidth   = 72
	MostWidth    = 180
)

// Columns returns the width of the terminal of App.Out, within bounds.
func (app *App) Columns() int {
	if tty := fileOf(app.Out); tty != nil && term.IsTerminal(int(tty.Fd())) {
		if width, _, err := term.GetSize(int(tty.Fd())); err == nil {
			return min(max(width, LeastWidth), MostWidth)
		}
	}
	return DefaultWidth
}

// Unicode reports whether the locale of the environment is UTF-8.
func (app *App) Unicode() bool {
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if value := app.Getenv(name); value != "" {
			value = strings.ToLower(value)
			return strings.Contains(value, "utf-8") || strings.Contains(value, "utf8")
		}
	}
	return false
}

// RefuseTerminal returns an error if App.Out is a terminal: what is about to be written is not readable.
func (app *App) RefuseTerminal(what string) error {
	if tty := fileOf(app.Out); tty != nil && term.IsTerminal(int(tty.Fd())) {
		return Usagef("%s is not for reading; send standard output to a file or a pipe", what)
	}
	return nil
}
