package main

import (
	"fmt"
	"io"
	"net/http"
	"os"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func (a *app) userList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the users",
		Example: "signet user list\nsignet user list -o json | jq -r '.users[] | select(.disabled) | .username'",
		Args:    positional(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.connect()
			if err != nil {
				return err
			}
			l := a.newList("users", "USERNAME", "SUB", "STATE", "CREATED")
			fetch := func(after string) (page[userRecord], error) {
				var answer struct {
					Users []userRecord `json:"users"`
					Next  string       `json:"next"`
				}
				err := c.call(cmd.Context(), http.MethodGet, listPath(after, "users"), nil, &answer)
				return page[userRecord]{answer.Users, answer.Next}, err
			}
			err = pages("", fetch, func(r userRecord) error {
				return l.add(r, r.Username, r.Subject, r.state(), stamp(r.CreatedAt))
			})
			if err != nil {
				return err
			}
			return l.end("There are no users yet. `signet user create --username NAME` adds one.")
		},
	}
}

func (a *app) userSetPassword() *cobra.Command {
	var password passwordSource
	cmd := &cobra.Command{
		Use:     "set-password NAME",
		Short:   "Set a user's password",
		Long:    "Set a user's password, and end the sessions that the old one began. It is asked for twice, or\nread from standard input or a file.",
		Example: "signet user set-password alice",
		Args:    positional("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			secret, err := password.read(a)
			if err != nil {
				return err
			}
			c, err := a.connect()
			if err != nil {
				return err
			}
			body := map[string]string{"password": secret}
			if err := c.call(cmd.Context(), http.MethodPut, pathTo("users", args[0], "password"), body, nil); err != nil {
				return err
			}
			return a.print(map[string]string{"password_set": args[0]}, func(w io.Writer) { line(w, "set the password of "+args[0]) })
		},
	}
	password.flags(cmd)
	return cmd
}

// importReport is what the server did with each line.
type importReport struct {
	Accepted int           `json:"accepted"`
	Refused  []refusedLine `json:"refused"`
}

type refusedLine struct {
	Line     int    `json:"line"`
	Username string `json:"username"`
	Reason   string `json:"reason"`
}

func (a *app) userImport() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "import --file FILE|-",
		Short: "Add users with the password hashes they have",
		Long: "Add users from another system with the password hashes they have. Each line of the file is one\n" +
			"JSON object: {\"username\", \"password_hash\", \"claims\"}. Hashes of bcrypt, scrypt, PBKDF2 and argon2 are\n" +
			"taken in their usual spellings, passlib's and Django's too, and renewed as people sign in.\n\n" +
			"A line that is refused is reported and does not keep the others out; the exit status is then 1.",
		Example: "signet user import --file users.ndjson\nzcat users.ndjson.gz | signet user import --file -",
		Args:    positional(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := required(cmd, "file"); err != nil {
				return err
			}
			in, err := a.openInput(file)
			if err != nil {
				return err
			}
			defer in.Close()
			return a.importUsers(cmd, in)
		},
	}
	cmd.Flags().StringVar(&file, "file", "", "the NDJSON `FILE`, or - for standard input")
	return cmd
}

func (a *app) openInput(file string) (io.ReadCloser, error) {
	if file == "-" {
		return io.NopCloser(a.in), nil
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("reading the users: %w", err)
	}
	return f, nil
}

func (a *app) importUsers(cmd *cobra.Command, in io.Reader) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	var report importReport
	body := a.watch("sent", in)
	if err := c.exchange(cmd.Context(), http.MethodPost, "/v1/users:import", "application/x-ndjson", body, &report); err != nil {
		return err
	}
	if err := a.print(report, report.write); err != nil {
		return err
	}
	if n := len(report.Refused); n > 0 {
		return fmt.Errorf("%d of %d lines were refused; mend them and import them again", n, n+report.Accepted)
	}
	return nil
}

func (r importReport) write(w io.Writer) {
	if len(r.Refused) > 0 {
		line(w, "LINE", "USERNAME", "REFUSED BECAUSE")
	}
	for _, l := range r.Refused {
		line(w, fmt.Sprint(l.Line), orDash(l.Username), l.Reason)
	}
	fmt.Fprintf(w, "%d accepted, %d refused\n", r.Accepted, len(r.Refused))
}

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
