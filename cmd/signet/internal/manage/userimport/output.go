package userimport

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/connect"
	"signet/cmd/signet/internal/usertable"
	"signet/server/admin/api"
)

// files are those that an import writes beside its report. A nil writer is one that was not asked for.
type files struct {
	subjects *csv.Writer
	rejected *bufio.Writer
	factors  *bufio.Writer
}

// withFiles opens the files, runs, and puts them in their places. They are private, and none is there after an error.
func (r *run) withFiles(do func() error) error {
	open := func(path string, set func(io.Writer) error, then func() error) func() error {
		return func() error {
			if path == "" {
				return then()
			}
			refuse := func(path string) error { return connect.RefuseOwnFiles(r.app, path) }
			return cli.WriteFile(path, r.force, refuse, func(w io.Writer) error {
				buffered := bufio.NewWriterSize(w, 64<<10)
				if err := set(buffered); err != nil {
					return err
				}
				if err := then(); err != nil {
					return err
				}
				return buffered.Flush()
			})
		}
	}
	withFactors := open(r.command.factors, func(w io.Writer) error { r.files.factors = w.(*bufio.Writer); return nil }, do)
	withRejected := open(r.command.rejected, func(w io.Writer) error { r.files.rejected = w.(*bufio.Writer); return nil }, withFactors)
	return open(r.mapFile, func(w io.Writer) error {
		r.files.subjects = csv.NewWriter(w)
		return r.files.subjects.Write([]string{"username", "sub", "id"})
	}, func() error {
		err := withRejected()
		if r.files.subjects != nil {
			r.files.subjects.Flush()
		}
		return err
	})()
}

// accepted writes where a user is now.
func (f *files) accepted(row usertable.Row, sub string) error {
	if f.subjects != nil {
		if err := f.subjects.Write([]string{row.Username, sub, row.ID}); err != nil {
			return fmt.Errorf("writing the map: %w", err)
		}
	}
	if f.factors != nil && len(row.Factors) > 0 {
		return writeLine(f.factors, map[string]any{"username": row.Username, "sub": sub, "factors": row.Factors})
	}
	return nil
}

// refused writes a line that can be mended: that of the import with its number and the reason, or the text of the file.
func (f *files) refused(row usertable.Row, line []byte, reason string) error {
	if f.rejected == nil {
		return nil
	}
	about, err := json.Marshal(map[string]any{"line": row.Line, "reason": reason})
	if err != nil {
		return fmt.Errorf("writing the refused lines: %w", err)
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(line, &members) != nil {
		return writeLine(f.rejected, map[string]any{"line": row.Line, "reason": reason, "text": row.Text})
	}
	delete(members, "line") // of a report that is imported
	delete(members, "reason")
	line = marshal(members)
	line = append(line[:len(line)-1], ',')
	if len(members) == 0 {
		line = []byte("{")
	}
	_, err = f.rejected.Write(append(append(line, about[1:]...), '\n'))
	return err
}

func writeLine(w io.Writer, v any) error {
	_, err := w.Write(append(marshal(v), '\n'))
	return err
}

// marshal encodes what always encodes.
func marshal(v any) []byte {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n"))
}

// maxShown bounds the refused lines in a table.
const maxShown = 1000

// WriteReport writes the report of a verb for many users as a table.
func WriteReport(w io.Writer, r api.Report) {
	refused := Refused(r)
	writeLines(w, "REFUSED BECAUSE", "refused", r.Refused, refused)
	writeLines(w, "NOTE", "accepted", r.Kept, r.KeptCount)
	would := ""
	if r.DryRun {
		would = "would be "
	}
	var counts []string
	for _, c := range []struct {
		what string
		n    int
	}{{would + "created", r.Created}, {would + "updated", r.Updated}, {"unchanged", r.Unchanged}, {would + "skipped", r.Skipped}} {
		if c.n > 0 {
			counts = append(counts, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	if len(counts) > 0 {
		fmt.Fprintln(w, strings.Join(counts, ", "))
	}
	fmt.Fprintf(w, "%d %saccepted, %d refused\n", r.Accepted, would, refused)
}

// writeLines writes the first of so many lines.
func writeLines(w io.Writer, column, kind string, lines []api.ReportLine, all int) {
	shown := lines[:min(len(lines), maxShown)]
	if len(shown) > 0 {
		cli.Row(w, "LINE", "USERNAME", column)
	}
	for _, l := range shown {
		cli.Row(w, fmt.Sprint(l.Line), cli.OrDash(l.Username), l.Reason)
	}
	if more := all - len(shown); more > 0 {
		fmt.Fprintf(w, "and %d more %s %s, not listed\n", more, kind, cli.Plural(more, "line"))
	}
}

// Refused returns how many lines were refused. An older server sends no count.
func Refused(r api.Report) int { return max(r.RefusedCount, len(r.Refused)) }

// RefusedError is the error for refused lines, with what can be done; nil: there are none.
func RefusedError(r api.Report, remedy string) error {
	n := Refused(r)
	if n == 0 {
		return nil
	}
	was := "were"
	if n == 1 {
		was = "was"
	}
	return fmt.Errorf("%d of %d %s %s refused%s", n, n+r.Accepted, cli.Plural(n+r.Accepted, "line"), was, remedy)
}

// countingReader counts the bytes of the file.
type countingReader struct {
	in io.Reader
	n  int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.in.Read(p)
	c.n += int64(n)
	return n, err
}

// progress shows rate and time left on a terminal.
type progress struct {
	*cli.Status
	file  *countingReader
	size  int64 // of the file; 0: not known
	begun time.Time
	shown int64 // of the file, at the end of the last part
	last  string
}

func newProgress(app *cli.App, file *countingReader, size int64) *progress {
	return &progress{Status: app.NewStatus(), file: file, size: size, begun: time.Now()}
}

// show shows the number of users, of whose part so many lines were answered.
func (p *progress) show(users, answered, lines int) {
	done := p.shown + (p.file.n-p.shown)*int64(answered)/int64(lines)
	if answered == lines {
		p.shown = done
	}
	elapsed := max(time.Since(p.begun), time.Millisecond)
	p.last = fmt.Sprintf("%d %s, %.0f a second", users, cli.Plural(users, "user"), float64(users)/elapsed.Seconds())
	if p.size > 0 && done > 0 {
		left := time.Duration(float64(elapsed) * float64(max(p.size-done, 0)) / float64(done))
		p.last += fmt.Sprintf(", %d %% of the file, %s left", min(done, p.size)*100/p.size, cli.RoundDuration(left))
	}
	p.Show("%s", p.last)
}

func (p *progress) waiting() { p.Show("%s, waiting for the server", cli.OrDash(p.last)) }
