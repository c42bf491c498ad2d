package manage

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/connect"
	"signet/cmd/signet/internal/manage/userimport"
	"signet/server/admin/api"
)

// bulkFile is the flag of a command that takes one user, or a file of users.
type bulkFile struct{ path string }

func (b *bulkFile) flag(cmd *cobra.Command) {
	cmd.Flags().Var((*cli.Filter)(&b.path), "file", "all users in `FILE` (- is standard input): a name or sub on each line, or NDJSON with \"username\"")
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
	in, err := userimport.Open(app, file)
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
	if err := app.Print(report, func(w io.Writer) { userimport.WriteReport(w, report) }); err != nil {
		return err
	}
	return userimport.RefusedError(report, "")
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
