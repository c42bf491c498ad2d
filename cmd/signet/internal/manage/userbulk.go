package manage

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/connect"
	"signet/server/admin/api"
)

// bulkFile is the flag of a command that takes one user, or a file of users.
type bulkFile struct{ path string }

func (b *bulkFile) flag(cmd *cobra.Command) {
	cmd.Flags().StringVar(&b.path, "file", "", "all users in `FILE` (- is standard input): a name or sub on each line, or NDJSON with \"username\"")
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if !cmd.Flags().Changed("file") {
			return cli.Args("NAME")(cmd, args)
		}
		if len(args) > 0 {
			return cli.Usagef("--file has the names; leave %q out", args[0])
		}
		return nil
	}
}

// callForEach sends the users of a file to a verb for many users, and reports the refused lines as an import does.
func callForEach(app *cli.App, cmd *cobra.Command, file string, verb api.Verb) error {
	in, err := openInput(app, file)
	if err != nil {
		return err
	}
	defer in.Close()
	c, err := connect.Client(app)
	if err != nil {
		return err
	}
	var report api.Report
	body := asNDJSON(app.Watch("sent", in, 0))
	defer body.Close()
	if err := c.Call(cmd.Context(), verb.At(), body, &report); err != nil {
		return err
	}
	if err := app.Print(report, func(w io.Writer) { writeReport(w, report) }); err != nil {
		return err
	}
	if n := refusedLines(report); n > 0 {
		return fmt.Errorf("%d of %d lines were refused", n, n+report.Accepted)
	}
	return nil
}

// asNDJSON replaces each line that is a name by {"username": …}.
func asNDJSON(in io.Reader) io.ReadCloser {
	out, w := io.Pipe()
	go func() {
		lines := bufio.NewScanner(in)
		lines.Buffer(nil, 128<<10)
		for lines.Scan() {
			line := bytes.TrimSpace(lines.Bytes())
			if len(line) > 0 && line[0] != '{' {
				quoted, _ := json.Marshal(map[string]string{"username": string(line)}) // text always encodes
				line = quoted
			}
			if _, err := w.Write(append(line, '\n')); err != nil {
				return // the reader has stopped
			}
		}
		w.CloseWithError(lines.Err()) // nil ends the body
	}()
	return out
}

func userImport(app *cli.App) *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "import --file FILE|-",
		Short: "Add users with their password hashes",
		Long: "Add users of another system with their password hashes. Each line of the file is one\n" +
			"JSON object: {\"username\", \"password_hash\", \"claims\"}. Hashes of bcrypt ($2a$, $2b$, $2y$),\n" +
			"argon2id and argon2i are accepted, and replaced when their users sign in.\n\n" +
			"Refused lines are reported, and all others are imported. The exit status is 1 if a line was refused.",
		Example: "signet user import --file users.ndjson\nzcat users.ndjson.gz | signet user import --file -",
		Args:    cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cli.Required(cmd, "file"); err != nil {
				return err
			}
			in, err := openInput(app, file)
			if err != nil {
				return err
			}
			defer in.Close()
			return importUsers(app, cmd, in)
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "the NDJSON `FILE`, or - for standard input")
	return cmd
}

func openInput(app *cli.App, file string) (io.ReadCloser, error) {
	if file == "-" {
		return io.NopCloser(app.In), nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("reading the users: %w", err)
	}
	if info, err := f.Stat(); err == nil && info.IsDir() {
		f.Close()
		return nil, fmt.Errorf("reading the users: %s is a directory", file)
	}
	return f, nil
}

func importUsers(app *cli.App, cmd *cobra.Command, in io.Reader) error {
	c, err := connect.Client(app)
	if err != nil {
		return err
	}
	var report api.Report
	body := app.Watch("sent", in, 0) // the server skips a byte order mark and CRLF
	if err := c.Call(cmd.Context(), api.ImportUsers.At(), body, &report); err != nil {
		return err
	}
	if err := app.Print(report, func(w io.Writer) { writeReport(w, report) }); err != nil {
		return err
	}
	if n := refusedLines(report); n > 0 {
		return fmt.Errorf("%d of %d lines were refused. Fix these lines and import the file again", n, n+report.Accepted)
	}
	return nil
}

// refusedLines returns how many lines were refused. An older server sends no count.
func refusedLines(r api.Report) int { return max(r.RefusedCount, len(r.Refused)) }

func writeReport(w io.Writer, r api.Report) {
	if len(r.Refused) > 0 {
		cli.Row(w, "LINE", "USERNAME", "REFUSED BECAUSE")
	}
	for _, l := range r.Refused {
		cli.Row(w, fmt.Sprint(l.Line), cli.OrDash(l.Username), l.Reason)
	}
	refused := refusedLines(r)
	if more := refused - len(r.Refused); more > 0 {
		fmt.Fprintf(w, "and %d more lines that were refused, which are not listed\n", more)
	}
	fmt.Fprintf(w, "%d accepted, %d refused\n", r.Accepted, refused)
}
