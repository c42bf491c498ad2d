package main

import (
	"fmt"
	"io"

	"golang.org/x/term"
)

// watch shows on a terminal how much has gone through r.
func (a *app) watch(verb string, r io.Reader) io.Reader {
	tty := fileOf(a.err)
	if tty == nil || !term.IsTerminal(int(tty.Fd())) {
		return r
	}
	return &progress{in: r, out: tty, verb: verb}
}

// progress is a reader that rewrites one line on a terminal, every mebibyte.
type progress struct {
	in          io.Reader
	out         io.Writer
	verb        string
	done, shown int64
}

func (p *progress) Read(b []byte) (int, error) {
	n, err := p.in.Read(b)
	p.done += int64(n)
	if p.done-p.shown >= 1<<20 {
		p.shown = p.done
		fmt.Fprintf(p.out, "\r%s %d MiB", p.verb, p.done>>20)
	}
	if err != nil && p.shown > 0 {
		fmt.Fprintf(p.out, "\r\x1b[K")
		p.shown = 0
	}
	return n, err
}
