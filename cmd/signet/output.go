package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// format is what -o takes.
type format string

const (
	formatTable format = "table"
	formatJSON  format = "json"
	formatSVG   format = "svg" // of `signet keys plan` only
)

func (f *format) String() string { return string(*f) }
func (f *format) Type() string   { return "table|json" }

func (f *format) Set(s string) error {
	switch format(s) {
	case formatTable, formatJSON:
		*f = format(s)
		return nil
	case formatSVG:
		return errors.New("only `signet keys plan` draws a picture; write table or json")
	}
	return errors.New("write table or json")
}

func (a *app) json() bool { return a.format == formatJSON }

// print writes v as a line of JSON, or lets people write it for people.
func (a *app) print(v any, people func(io.Writer)) error {
	if a.json() {
		return a.printJSON(v)
	}
	w := tabwriter.NewWriter(a.out, 0, 0, 2, ' ', 0)
	people(w)
	return flush(w)
}

func (a *app) printJSON(v any) error {
	enc := json.NewEncoder(a.out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}

func flush(w *tabwriter.Writer) error {
	if err := w.Flush(); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}

// say tells people something that is not output. Programs that asked for JSON do not want it.
func (a *app) say(format string, args ...any) {
	if !a.json() {
		fmt.Fprintf(a.err, format+"\n", args...)
	}
}

// warn tells people what is allowed and hardly meant.
func (a *app) warn(warning error) { fmt.Fprintf(a.err, "signet: warning: %s\n", warning) }

// line writes cells in columns.
func line(w io.Writer, cells ...string) {
	for i, c := range cells {
		cells[i] = printable(c)
	}
	fmt.Fprintln(w, strings.Join(cells, "\t"))
}

// printable keeps what others have written from moving the cursor or breaking the table.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0x2028 || r == 0x2029 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '\uFFFD'
		}
		return r
	}, s)
}

// orDash shows that there is nothing.
func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func words(list []string) string { return orDash(strings.Join(list, " ")) }

// stamp is a moment for people who compare it with logs.
func stamp(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// relative says how far away a moment is.
func relative(t, now time.Time) string {
	d := t.Sub(now)
	if d >= 0 {
		return "in " + roughly(d)
	}
	return roughly(-d) + " ago"
}

// lasting says for how long something has been so.
func lasting(since, now time.Time) string {
	if since.IsZero() {
		return "-"
	}
	return roughly(max(now.Sub(since), 0))
}

func roughly(d time.Duration) string {
	const day = 24 * time.Hour
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d.Round(time.Second)/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d.Round(time.Minute)/time.Minute)
	case d < 2*day:
		return fmt.Sprintf("%dh", d.Round(time.Hour)/time.Hour)
	default:
		return fmt.Sprintf("%dd", d.Round(day)/day)
	}
}

// plural is the word for n things.
func plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

// list prints one page of a list after the other: for programs as an object with one array, for
// people as a table.
type list struct {
	a     *app
	name  string
	out   *bufio.Writer
	table *tabwriter.Writer
	count int
}

// listBlock is how many rows of a table are held to align their columns. A list of any length takes no more memory.
const listBlock = 1000

func (a *app) newList(name string, header ...string) *list {
	out := bufio.NewWriterSize(a.out, 64<<10)
	l := &list{a: a, name: name, out: out, table: tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
	if !a.json() {
		line(l.table, header...)
	}
	return l
}

func (l *list) add(v any, cells ...string) error {
	l.count++
	if !l.a.json() {
		line(l.table, cells...)
		if l.count%listBlock == 0 {
			return flush(l.table)
		}
		return nil
	}
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	before := ","
	if l.count == 1 {
		before = fmt.Sprintf("{%q:[", l.name)
	}
	_, _ = l.out.WriteString(before) // the error comes again
	_, err = l.out.Write(data)
	return err
}

// end finishes the list. none is what people are told when there was nothing in it.
func (l *list) end(none string) error {
	switch {
	case !l.a.json() && l.count == 0:
		l.a.say("%s", none)
		return nil
	case !l.a.json():
		if err := flush(l.table); err != nil {
			return err
		}
		return l.flush()
	case l.count == 0:
		return l.a.printJSON(map[string][]struct{}{l.name: {}})
	}
	_, _ = l.out.WriteString("]}\n") // the error comes again
	return l.flush()
}

func (l *list) flush() error {
	if err := l.out.Flush(); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}
