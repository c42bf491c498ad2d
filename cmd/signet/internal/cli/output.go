package cli

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

// Format is the value of -o.
type Format string

const (
	FormatTable Format = "table"
	FormatJSON  Format = "json"
	FormatSVG   Format = "svg" // of `signet keys plan` only
)

func (f *Format) String() string { return string(*f) }

// Type implements pflag.Value; the help shows it.
func (f *Format) Type() string { return "table|json" }

// Set implements pflag.Value.
func (f *Format) Set(s string) error {
	switch Format(s) {
	case FormatTable, FormatJSON:
		*f = Format(s)
		return nil
	case FormatSVG:
		return errors.New("only `signet keys plan` draws a picture; write table or json")
	}
	return errors.New("write table or json")
}

// JSON reports whether the output is JSON.
func (app *App) JSON() bool { return app.Format == FormatJSON }

// Print writes v as a line of JSON, or calls people to write a table.
func (app *App) Print(v any, people func(io.Writer)) error {
	if app.JSON() {
		return app.PrintJSON(v)
	}
	w := tabwriter.NewWriter(app.Out, 0, 0, 2, ' ', 0)
	people(w)
	return Flush(w)
}

// PrintJSON writes v as a line of JSON.
func (app *App) PrintJSON(v any) error {
	enc := json.NewEncoder(app.Out)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}

// Flush writes out what a table still holds.
func Flush(w *tabwriter.Writer) error {
	if err := w.Flush(); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}

// Notef writes a line to App.Err that is not part of the output. With -o json it writes nothing.
func (app *App) Notef(format string, args ...any) {
	if !app.JSON() {
		fmt.Fprintf(app.Err, format+"\n", args...)
	}
}

// Warn writes a warning to App.Err: something that is valid but probably unintended.
func (app *App) Warn(warning error) { fmt.Fprintf(app.Err, "signet: warning: %s\n", warning) }

// Row writes one row of a table. w is the writer that Print passes on.
func Row(w io.Writer, cells ...string) {
	for i, c := range cells {
		cells[i] = Printable(c)
	}
	fmt.Fprintln(w, strings.Join(cells, "\t"))
}

// Printable replaces control characters. Text from elsewhere must not move the cursor or break a table.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 || r == 0x2028 || r == 0x2029 || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
			return '\uFFFD'
		}
		return r
	}, s)
}

// OrDash returns s, or a dash if it is empty.
func OrDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// Joined writes a list with spaces between, or a dash if it is empty.
func Joined(list []string) string { return OrDash(strings.Join(list, " ")) }

// FormatTime writes a time in UTC, as logs have it; the zero time is a dash.
func FormatTime(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04:05Z")
}

// Relative writes how far t is from now, such as "in 5m" or "2h ago".
func Relative(t, now time.Time) string {
	d := t.Sub(now)
	if d >= 0 {
		return "in " + RoundDuration(d)
	}
	return RoundDuration(-d) + " ago"
}

// Elapsed writes how long ago since was; the zero time is a dash.
func Elapsed(since, now time.Time) string {
	if since.IsZero() {
		return "-"
	}
	return RoundDuration(max(now.Sub(since), 0))
}

// RoundDuration writes a duration in its largest unit, rounded: 90s is 2m.
func RoundDuration(d time.Duration) string {
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

// EnabledWord returns "enabled" or "disabled".
func EnabledWord(disabled bool) string {
	if disabled {
		return "disabled"
	}
	return "enabled"
}

// Plural returns word, with an s unless n is 1.
func Plural(n int, word string) string {
	if n == 1 {
		return word
	}
	return word + "s"
}

// List prints a list of any length as it arrives: with -o json as an object with one array, else as a table.
type List struct {
	a     *App
	name  string
	out   *bufio.Writer
	table *tabwriter.Writer
	count int
}

// listBlock is how many rows are aligned together, and so how many are held in memory.
const listBlock = 1000

// NewList begins a list. name is the member of the JSON object; header has the columns of the table.
func (app *App) NewList(name string, header ...string) *List {
	out := bufio.NewWriterSize(app.Out, 64<<10)
	l := &List{a: app, name: name, out: out, table: tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)}
	if !app.JSON() {
		Row(l.table, header...)
	}
	return l
}

// Add adds v, of which cells are the row.
func (l *List) Add(v any, cells ...string) error {
	l.count++
	if !l.a.JSON() {
		Row(l.table, cells...)
		if l.count%listBlock == 0 {
			return Flush(l.table)
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

// End finishes the list. none is the message where the list is empty.
func (l *List) End(none string) error {
	switch {
	case !l.a.JSON() && l.count == 0:
		l.a.Notef("%s", none)
		return nil
	case !l.a.JSON():
		if err := Flush(l.table); err != nil {
			return err
		}
		return l.flush()
	case l.count == 0:
		return l.a.PrintJSON(map[string][]struct{}{l.name: {}})
	}
	_, _ = l.out.WriteString("]}\n") // the error comes again
	return l.flush()
}

func (l *List) flush() error {
	if err := l.out.Flush(); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return nil
}
