package main

import (
	"io"
	"net/http"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"signet/keys"
)

// clockReset is the answer of POST /v1/keys/clock-reset.
type clockReset struct{ keys.ClockReset }

func (a *app) keysClockReset() *cobra.Command {
	return &cobra.Command{
		Use:   "clock-reset",
		Short: "Forget a time that a wrong clock has shown, so that signing goes on",
		Long: "Forget a time that a wrong clock has shown, so that signing goes on. Signet remembers the latest time it\n" +
			"has seen and signs nothing while the clock is behind it by more than keys.skew: a clock that is set back\n" +
			"would bring keys back. A clock that was far ahead leaves a time behind that no right clock reaches. Set\n" +
			"the clock of every server right first, and then run this once; it holds for all replicas.\n\n" +
			"No key moves backwards: what the wrong clock brought forward counts as having come now.",
		Example: "signet keys clock-reset",
		Args:    positional(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.connect()
			if err != nil {
				return err
			}
			var answer clockReset
			if err := c.call(cmd.Context(), http.MethodPost, pathTo("keys", "clock-reset"), struct{}{}, &answer); err != nil {
				return err
			}
			return a.print(answer, answer.write)
		},
	}
}

func (r clockReset) write(w io.Writer) {
	if !r.Changed {
		line(w, "the clock is not behind the latest time that was seen", stamp(r.SeenAt))
		return
	}
	line(w, "forgotten", stamp(r.SeenAt)+", "+roughly(r.SeenAt.Sub(r.At).Round(time.Second))+" ahead")
	line(w, "the latest time seen", stamp(r.At))
	line(w, "keyring", "version "+strconv.FormatUint(r.Version, 10))
}
