package signingkeys

import (
	"io"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/server/admin/api"
)

// rotated is the report of `keys rotate`: the answer of the server, and the replicas.
type rotated struct {
	api.RotatedKeys
	replicaStatus
}

func keysRotate(app *cli.App) *cobra.Command {
	var in api.KeyRotation
	var p waitFlags
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Make the next key sign earlier than planned",
		Long: "Make the next key sign earlier than planned: as soon as it has been published for keys.publish, so that\n" +
			"every verifier has it. That time is printed, and no token is refused.\n\n" +
			"With --emergency the next key signs now. Tokens of the old key stay valid; `keys revoke` is for a leaked\n" +
			"key. If the next key has been published for less than keys.publish, verifiers that do not fetch the key\n" +
			"set again for an unknown kid refuse new tokens until they fetch it.",
		Example: "signet keys rotate\nsignet keys rotate --emergency --wait",
		Args:    cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := changeKeys(app, cmd, p)
			if err != nil {
				return err
			}
			var answer rotated
			if err := c.Call(cmd.Context(), api.RotateKeys.At(), in, &answer); err != nil {
				return err
			}
			return report(cmd.Context(), app, c, answer.Version, p, &answer, &answer.replicaStatus)
		},
	}
	cmd.Flags().StringVar(&in.Alg, "alg", "", "only keys of `ALG` (default: of every algorithm)")
	cmd.Flags().BoolVar(&in.Emergency, "emergency", false, "sign with the next key now, even if some verifiers do not have it yet")
	p.flags(cmd)
	return cmd
}

func (r rotated) write(w io.Writer, now time.Time) {
	if len(r.Rotations) == 0 {
		cli.Row(w, "the next key signs from "+cli.FormatTime(r.ActivatesAt)+" ("+cli.Relative(r.ActivatesAt, now)+")")
	}
	for _, done := range r.Rotations {
		cli.Row(w, "retired", done.Retired+", which goes on verifying")
		cli.Row(w, "signs now", signerText(done.Signer, now))
		cli.Row(w, "next", nextText(done.Standby, now))
	}
	if len(r.Rotations) > 0 || len(r.Behind) > 0 {
		cli.Row(w, "replicas", r.text())
	}
}

// signerText writes the key that signs now, and whether every verifier has it.
func signerText(k *api.Successor, now time.Time) string {
	if k == nil {
		return "-"
	}
	if k.Aged(now) {
		return k.KID + ", which every verifier has"
	}
	return k.KID + ", younger than keys.publish: verifiers that do not fetch the key set again for an unknown kid refuse its tokens until they do, at the latest " +
		cli.FormatTime(k.KnownAt) + " (" + cli.Relative(k.KnownAt, now) + ")"
}

func nextText(k *api.Successor, now time.Time) string {
	if k == nil {
		return "-"
	}
	return k.KID + ", signs from " + cli.FormatTime(k.SignsFrom) + " (" + cli.Relative(k.SignsFrom, now) + ")"
}
