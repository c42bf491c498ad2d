package main

import (
	"fmt"
	"io"
	"strings"

	"golang.org/x/term"
)

// status is one line on a terminal that is written anew as work goes on. Without a terminal it
// shows nothing.
type status struct {
	out   io.Writer // nil: nowhere
	shown bool
}

func (a *app) newStatus() *status {
	tty := fileOf(a.err)
	if tty == nil || !term.IsTerminal(int(tty.Fd())) {
		return &status{}
	}
	return &status{out: tty}
}

func (s *status) show(format string, args ...any) {
	if s.out != nil {
		fmt.Fprintf(s.out, "\r"+format+"\x1b[K", args...)
		s.shown = true
	}
}

// clear leaves the line to whoever writes next.
func (s *status) clear() {
	if s.shown {
		fmt.Fprint(s.out, "\r\x1b[K")
		s.shown = false
	}
}

// progress is a reader that shows every mebibyte how much has gone through it.
type progress struct {
	*status
	in    io.Reader
	verb  string
	total int64 // 0: nobody knows
	done  int64
	told  int64 // of done
}

// watch shows on a terminal how much has gone through r, of total bytes if that is not 0.
func (a *app) watch(verb string, r io.Reader, total int64) *progress {
	return &progress{status: a.newStatus(), in: r, verb: verb, total: total}
}

func (p *progress) Read(b []byte) (int, error) {
	n, err := p.in.Read(b)
	p.done += int64(n)
	if p.done-p.told >= 1<<20 {
		p.told = p.done
		p.show("%s", p)
	}
	if err != nil {
		p.clear()
	}
	return n, err
}

func (p *progress) String() string {
	if p.total <= 0 {
		return fmt.Sprintf("%s %d MiB", p.verb, p.done>>20)
	}
	return fmt.Sprintf("%s %s %3d %% of %d MiB", p.verb, bar(p.done, p.total), min(p.done, p.total)*100/p.total, p.total>>20)
}

// bar is as much of its width as done is of total.
func bar(done, total int64) string {
	const width = 24
	full := int(min(done, total) * width / total)
	return "[" + strings.Repeat("#", full) + strings.Repeat(".", width-full) + "]"
}

// tally shows every few thousand records how many there were.
type tally struct {
	*status
	verb string
	n    int64
}

func (a *app) tally(verb string) *tally { return &tally{status: a.newStatus(), verb: verb} }

func (t *tally) add() {
	if t.n++; t.n%4096 == 0 {
		t.show("%s %d records", t.verb, t.n)
	}
}
