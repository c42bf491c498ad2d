package signingkeys

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/connect"
	"signet/server/admin/api"
)

// New returns the command `signet keys`.
func New(app *cli.App) *cobra.Command {
	return connect.Flags(app, cli.Group("keys", "Show, rotate and revoke the signing keys",
		"Show, rotate and revoke the signing keys. Keys rotate automatically. A new key is published before it\n"+
			"signs, and stays published after it stops signing, so that verifiers always find the key of a token.\n\n"+
			"pending: published, not signing yet · active: signs · retired: published, no longer signs ·\n"+
			"revoked: not published",
		keysList(app), keysPlan(app), keysRotate(app), keysRevoke(app), keysRewrap(app), keysClockReset(app)))
}

func keysList(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the signing keys, their next steps, and which replicas have them",
		Example: "signet keys list",
		Args:    cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var k api.KeyList
			if err := connect.Call(cmd.Context(), app, api.ListKeys.At(), nil, &k); err != nil {
				return err
			}
			now := time.Now()
			return app.Print(k, func(w io.Writer) { writeKeys(w, k, now) })
		},
	}
}

func writeKeys(w io.Writer, k api.KeyList, now time.Time) {
	cli.Row(w, "KID", "ALG", "HELD", "STATE", "FOR", "SIGNS FROM", "NEXT", "WHEN")
	for _, r := range k.Keys {
		when := "-"
		if !r.NextAt.IsZero() {
			when = cli.Relative(r.NextAt, now)
		}
		from := r.ActivatesAt
		if r.State == "active" {
			from = r.Since // after an emergency the other lies before the change, for replicas with slow clocks
		}
		cli.Row(w, r.KID, r.Alg, cli.OrDash(r.Held), r.State, cli.Elapsed(r.Since, now), cli.FormatTime(from), cli.OrDash(r.Next), when)
	}
	if len(k.Replicas) == 0 {
		return
	}
	cli.Row(w)
	fmt.Fprintln(w, holders(k))
	cli.Row(w)
	cli.Row(w, "REPLICA", "KEYS", "SEEN")
	for _, r := range k.Replicas {
		cli.Row(w, r.Replica, freshness(k, r), cli.Relative(r.At, now))
	}
}

// holders writes how many replicas have all of these keys.
func holders(k api.KeyList) string {
	n := 0
	for _, r := range k.Replicas {
		if r.KeyringVersion >= k.Version {
			n++
		}
	}
	return fmt.Sprintf("This is version %d of the keyring; %d of %d %s it.", k.Version, n, len(k.Replicas), holding(len(k.Replicas)))
}

func holding(n int) string {
	if n == 1 {
		return "replica has"
	}
	return "replicas have"
}

// freshness writes which version of the keyring a replica has.
func freshness(k api.KeyList, r api.Replica) string {
	version := "version " + strconv.FormatUint(r.KeyringVersion, 10)
	if r.KeyringVersion < k.Version {
		return version + ", behind"
	}
	return version
}
