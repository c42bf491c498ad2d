package cli

import (
	"fmt"
	"io"
	"strings"

	"golang.org/x/term"
)

// Status is one line on a terminal that is overwritten as work goes on. Without a terminal it writes nothing.
type Status struct {
	out   io.Writer // nil: nowhere
	shown bool
}

// NewStatus returns the status line of App.Err.
func (app *App) NewStatus() *Status {
	tty := fileOf(app.Err)
	if tty == nil || !term.IsTerminal(int(tty.Fd())) {
		return &Status{}
	}
	return &Status{out: tty}
}

// Show replaces the line.
func (s *Status) Show(format string, args ...any) {
	if s.out != nil {
		fmt.Fprintf(s.out, "\r"+format+"\x1b[K", args...)
		s.shown = true
	}
}

// Clear empties the line. Call it before other output.
func (s *Status) Clear() {
	if s.shown {
		fmt.Fprint(s.out, "\r\x1b[K")
		s.shown = false
	}
}

// Progress is a reader that shows how much was read through it.
type Progress struct {
	*Status
	in        io.Reader
	verb      string
	total     int64 // 0: not known
	done      int64
	lastShown int64 // of done, when it was last shown
}

// Watch returns a reader of r that shows on a terminal how much was read, of total bytes if that is not 0.
func (app *App) Watch(verb string, r io.Reader, total int64) *Progress {
	return &Progress{Status: app.NewStatus(), in: r, verb: verb, total: total}
}

func (p *Progress) Read(b []byte) (int, error) {
	n, err := p.in.Read(b)
	p.done += int64(n)
	if p.done-p.lastShown >= 1<<20 {
		p.lastShown = p.done
		p.Show("%s", p)
	}
	if err != nil {
		p.Clear()
	}
	return n, err
}

func (p *Progress) String() string {
	if p.total <= 0 {
		return fmt.Sprintf("%s %d MiB", p.verb, p.done>>20)
	}
	return fmt.Sprintf("%s %s %3d %% of %d MiB", p.verb, bar(p.done, p.total), min(p.done, p.total)*100/p.total, p.total>>20)
}

// bar draws done as a part of total.
func bar(done, total int64) string {
	const width = 24
	full := int(min(done, total) * width / total)
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", width-full) + "]"
}

// Tally shows a count on a terminal every few thousand records.
type Tally struct {
	*Status
	verb string
	n    int64
}

// Tally returns a count of records. verb is the participle of what is done with them.
func (app *App) Tally(verb string) *Tally { return &Tally{Status: app.NewStatus(), verb: verb} }

// Add counts one record.
func (t *Tally) Add() {
	if t.n++; t.n%4096 == 0 {
		t.Show("%s %d records", t.verb, t.n)
	}
}
