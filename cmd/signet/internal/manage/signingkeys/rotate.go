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
	following
}

func keysRotate(app *cli.App) *cobra.Command {
	var in api.KeyRotation
	var p waitFlags
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Have the next key sign earlier than planned",
		Long: "Have the next key sign earlier than planned: as soon as every verifier must have seen it. Nothing\n" +
			"breaks, and nothing happens before that moment, which is printed.\n\n" +
			"With --emergency it signs now. What the key before it has signed stays valid (`keys revoke` is for a\n" +
			"key that has leaked). If the next key is younger than keys.publish, verifiers that do not fetch the\n" +
			"key set again for an unknown kid refuse new tokens until they do.",
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
			return report(cmd.Context(), app, c, answer.Version, p, &answer, &answer.following)
		},
	}
	cmd.Flags().StringVar(&in.Alg, "alg", "", "only keys of `ALG` (default: of every algorithm)")
	cmd.Flags().BoolVar(&in.Emergency, "emergency", false, "sign with the next key now, also where some verifiers do not have it yet")
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

// signerText says who has the key that signs now.
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
