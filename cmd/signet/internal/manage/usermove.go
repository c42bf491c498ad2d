package manage

import (
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/connect"
	"signet/config/duration"
	"signet/server/admin/api"
)

// moved is the output of `signet user moved -o json`.
type moved struct {
	api.Moved
	CanGo  bool   `json:"old_system_can_go"`
	Reason string `json:"reason"`
}

func userMoved(app *cli.App) *cobra.Command {
	quiet := 30 * duration.Day
	cmd := &cobra.Command{
		Use:   "moved",
		Short: "Show how many users came from the upstream, and whether it can go",
		Long: `Show how many users came from users.upstream, and whether the old system can be turned off.

It can when no user here is marked as not moved, no user's password stays there, and nobody has
come from there for --quiet-for. Disabled users do not count: they cannot log in, so they cannot
move. Users of the old system who have not logged in for that long, and who were not imported, are
not here. Import them before it goes, or they cannot log in any more.`,
		Example: "signet user moved\nsignet user moved --quiet-for 90d -o json | jq -e .old_system_can_go",
		Args:    cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			var m moved
			if err := connect.Call(cmd.Context(), app, api.ShowMoved.At(), nil, &m.Moved); err != nil {
				return err
			}
			m.CanGo, m.Reason = canGo(m.Moved, quiet, time.Now())
			return app.Print(m, func(w io.Writer) { writeMoved(w, m) })
		},
	}
	cmd.Flags().Var((*duration.Value)(&quiet), "quiet-for", "the old system can go when nobody has come from there for `DURATION`")
	return cmd
}

// canGo reports whether the old system can be turned off, and why or why not.
func canGo(m api.Moved, quiet time.Duration, now time.Time) (can bool, reason string) {
	switch {
	case m.Stay > 0:
		return false, fmt.Sprintf("users whose passwords stay there: %d", m.Stay)
	case m.NotMoved > 0:
		return false, fmt.Sprintf("users here who have not moved yet: %d; they move when they log in, or set passwords for them, disable or delete them", m.NotMoved)
	case m.LastMovedAt == nil:
		return false, "nobody has come from there yet"
	}
	if since := now.Sub(*m.LastMovedAt); since < quiet {
		return false, fmt.Sprintf("somebody came from there %s ago; wait until nobody has for %s", cli.RoundDuration(max(since, 0)), cli.RoundDuration(quiet))
	}
	reason = "nobody has come from there for " + cli.RoundDuration(quiet) + "; import who is left, and remove users.upstream"
	if m.Disabled > 0 {
		reason += fmt.Sprintf("; disabled users who need a password when they are enabled again: %d", m.Disabled)
	}
	return true, reason
}

func writeMoved(w io.Writer, m moved) {
	cli.Row(w, "users", fmt.Sprint(m.Users))
	cli.Row(w, "came from the upstream", fmt.Sprint(m.Moved.Moved))
	cli.Row(w, "not moved yet", fmt.Sprint(m.NotMoved))
	cli.Row(w, "stay there", fmt.Sprint(m.Stay))
	cli.Row(w, "disabled, no password here", fmt.Sprint(m.Disabled))
	if m.LastMovedAt != nil {
		cli.Row(w, "last one came", cli.FormatTime(*m.LastMovedAt))
	}
	answer := "no: "
	if m.CanGo {
		answer = "yes: "
	}
	cli.Row(w, "old system can go", answer+m.Reason)
}
