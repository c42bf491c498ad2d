package signingkeys

import (
	"io"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/connect"
	"signet/server/admin/api"
)

func keysClockReset(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:   "clock-reset",
		Short: "Forget a time that a wrong clock has shown, so that signing goes on",
		Long: "Forget a time that a wrong clock has shown, so that signing goes on. Signet remembers the latest time it\n" +
			"has seen and signs nothing while the clock is behind it by more than keys.skew: a clock that is set back\n" +
			"would bring keys back. A clock that was far ahead leaves a time behind that no right clock reaches. Set\n" +
			"the clock of every server right first, and then run this once; it holds for all replicas.\n\n" +
			"No key moves backwards: what the wrong clock brought forward counts as having come now.",
		Example: "signet keys clock-reset",
		Args:    cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := connect.Client(app)
			if err != nil {
				return err
			}
			var answer api.ClockReset
			if err := c.Call(cmd.Context(), api.ResetClock.At(), struct{}{}, &answer); err != nil {
				return err
			}
			return app.Print(answer, func(w io.Writer) { writeClockReset(w, answer) })
		},
	}
}

func writeClockReset(w io.Writer, r api.ClockReset) {
	if !r.Changed {
		cli.Row(w, "the clock is not behind the latest time that was seen", cli.FormatTime(r.SeenAt))
		return
	}
	cli.Row(w, "forgotten", cli.FormatTime(r.SeenAt)+", "+cli.RoundDuration(r.SeenAt.Sub(r.At).Round(time.Second))+" ahead")
	cli.Row(w, "the latest time seen", cli.FormatTime(r.At))
	cli.Row(w, "keyring", "version "+strconv.FormatUint(r.Version, 10))
}
