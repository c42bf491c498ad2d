package manage

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/server/password/breached"
)

// NewBlocklist returns the command `signet blocklist`.
func NewBlocklist(app *cli.App) *cobra.Command {
	return cli.Group("blocklist", "Make a file of breached passwords for password.blocklist",
		"Make a file of breached passwords for the setting password.blocklist. It works offline.", blocklistBuild(app))
}

// blocklistBuilt is what `signet blocklist build -o json` prints.
type blocklistBuilt struct {
	File      string `json:"file"`
	Algorithm string `json:"algorithm"` // of the hashes that were read: SHA-1 or NTLM
	Hashes    uint64 `json:"hashes"`
	Bytes     int64  `json:"bytes"`
}

func blocklistBuild(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:   "build FILE",
		Short: "Make the file from a dump of breached passwords",
		Long: `Make FILE from a dump of breached passwords on standard input: lines of HASH:count,
sorted by hash, with 40 hexadecimal digits of SHA-1 or 32 of NTLM. That is how Have I Been
Pwned publishes them.

FILE takes about 1.16 bytes for each hash, and holds neither passwords nor hashes. A
password that is in the dump is always found in it. Of all others, one in 256 is found as
well, and its user has to choose another.

If the command is broken off, start it again with the same input: it keeps what FILE.partial
has of that, and nothing of another input. Name FILE in password.blocklist and send the
server SIGHUP: passwords are looked up in it, on disk, when they are set.`,
		Example: "signet blocklist build breached.bin < pwned-passwords-sha1-ordered-by-hash.txt\nzcat ntlm.txt.gz | signet blocklist build breached.bin",
		Args:    cli.Args("FILE"),
		RunE: func(_ *cobra.Command, args []string) error {
			status, begun := app.NewStatus(), time.Now()
			built, err := breached.Build(app.In, args[0], func(lines uint64) {
				status.Show("%d million lines, %.1f million a second", lines/1e6, float64(lines)/1e6/time.Since(begun).Seconds())
			})
			status.Clear()
			if err != nil {
				return fmt.Errorf("making %s: %w", args[0], err)
			}
			answer := blocklistBuilt{File: args[0], Algorithm: built.Algorithm.String(), Hashes: built.Hashes, Bytes: built.Bytes}
			return app.Print(answer, func(w io.Writer) {
				if built.Resumed > 0 {
					fmt.Fprintf(w, "kept %d hashes of an earlier run\n", built.Resumed)
				}
				fmt.Fprintf(w, "%s: %d %s hashes in %d bytes, %.2f for each; one in 256 other passwords is found by mistake\n",
					args[0], built.Hashes, built.Algorithm, built.Bytes, float64(built.Bytes)/float64(built.Hashes))
			})
		},
	}
}
