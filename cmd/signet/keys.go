package main

import (
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/server/admin/api"
)

// keyring is the answer of GET /v1/keys.
type keyring struct{ api.KeyList }

func keysCommand(app *cli.App) *cobra.Command {
	return remote(app, cli.Group("keys", "See, rotate and revoke the signing keys",
		"See, rotate and revoke the signing keys. They rotate by themselves: a new key is published first, signs\n"+
			"later, and stays published after it has stopped, so that no verifier meets a key it cannot fetch.\n\n"+
			"pending: published, not signing yet · active: signs · retired: verifies only · revoked: gone",
		keysList(app), keysPlan(app), keysRotate(app), keysRevoke(app), keysRewrap(app), keysClockReset(app)))
}

func keysList(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the signing keys, what comes next, and which replicas have them",
		Example: "signet keys list",
		Args:    cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := connect(app)
			if err != nil {
				return err
			}
			var k keyring
			if err := c.Call(cmd.Context(), api.ListKeys.At(), nil, &k); err != nil {
				return err
			}
			now := time.Now()
			return app.Print(k, func(w io.Writer) { k.write(w, now) })
		},
	}
}

func (k keyring) write(w io.Writer, now time.Time) {
	cli.Row(w, "KID", "ALG", "HELD", "STATE", "FOR", "SIGNS FROM", "NEXT", "WHEN")
	for _, r := range k.Keys {
		when := "-"
		if !r.NextAt.IsZero() {
			when = cli.Relative(r.NextAt, now)
		}
		cli.Row(w, r.KID, r.Alg, cli.OrDash(r.Held), r.State, cli.Elapsed(r.Since, now), cli.FormatTime(r.ActivatesAt), cli.OrDash(r.Next), when)
	}
	if len(k.Replicas) == 0 {
		return
	}
	cli.Row(w)
	fmt.Fprintln(w, k.holders())
	cli.Row(w)
	cli.Row(w, "REPLICA", "KEYS", "SEEN")
	for _, r := range k.Replicas {
		cli.Row(w, r.Replica, k.freshness(r), cli.Relative(r.At, now))
	}
}

// holders says how many replicas have all of these keys.
func (k keyring) holders() string {
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

// freshness says whether a replica has the keys of now.
func (k keyring) freshness(r api.Replica) string {
	version := "version " + strconv.FormatUint(r.KeyringVersion, 10)
	if r.KeyringVersion < k.Version {
		return version + ", behind"
	}
	return version
}
