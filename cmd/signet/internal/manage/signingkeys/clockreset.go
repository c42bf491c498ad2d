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
		Short: "Forget the time of a wrong clock, so that keys sign again",
		Long: "Forget the time of a wrong clock, so that keys sign again. Signet stores the latest time it has seen, and\n" +
			"signs nothing while the clock is behind that time by more than keys.skew, because a clock that is set back\n" +
			"would bring old keys back. After a clock was far ahead, the stored time is in the future. Correct the\n" +
			"clocks of all servers first, then run this once for all replicas.\n\n" +
			"No key goes back to an earlier state: steps that the wrong clock has caused count as done now.",
		Example: "signet keys clock-reset",
		Args:    cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var answer api.ClockReset
			if err := connect.Call(cmd.Context(), app, api.ResetClock.At(), struct{}{}, &answer); err != nil {
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
