package keychart

import (
	"fmt"
	"strings"
	"time"

	"signet/cmd/signet/internal/cli"
	"signet/server/admin/api"
)

// timeline draws a chart with characters.
type timeline struct {
	chart
	width int // of the bars
	paint palette
}

// palette has the character of each state.
type palette struct{ pending, active, retired, now rune }

func shades() palette { return palette{'▒', '█', '░', '│'} }
func ascii() palette  { return palette{'-', '#', '.', '|'} }

// text draws a plan with characters, within the columns: with block elements if unicode is set, else with ASCII alone.
func text(p api.KeyPlan, columns int, unicode bool) string {
	return newTimeline(p, columns, unicode).text()
}

func newTimeline(p api.KeyPlan, columns int, unicode bool) timeline {
	t := timeline{chart: newChart(p), paint: ascii()}
	if unicode {
		t.paint = shades()
	}
	t.width = columns - len(t.margin("", "", ""))
	return t
}

// margin writes the columns to the left of the bars.
func (t timeline) margin(key, from, until string) string {
	n := max(len(t.layout()), len("SIGNS FROM"))
	return fmt.Sprintf("%-10s%-*s  %-*s  ", key, n, from, n, until)
}

func (t timeline) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "The signing keys from %s to %s, keyring version %d\n\n", cli.FormatTime(t.plan.From), cli.FormatTime(t.plan.Until), t.plan.Version)
	b.WriteString(t.rows())
	fmt.Fprintf(&b, "\n%c published, not signing yet   %c signs   %c kept, verifies only   %c now\n", t.paint.pending, t.paint.active, t.paint.retired, t.paint.now)
	b.WriteString("A key with a letter for a name has not been made yet.\n")
	if t.plan.Cut {
		b.WriteString("The plan ends early because there are so many keys in it.\n")
	}
	b.WriteString("\n")
	return b.String()
}

// rows has the rows, below each other, one a key.
func (t timeline) rows() string {
	var b strings.Builder
	t.write(&b, t.margin("KEY", "SIGNS FROM", "UNTIL")+t.axis())
	for _, g := range t.groups {
		if len(t.groups) > 1 {
			t.write(&b, t.margin(g.alg, "", "")+t.bar(api.PlannedKey{}))
		}
		for _, k := range g.inOrder() {
			t.write(&b, t.margin(cli.Printable(shortName(k)), t.date(k.ActivatesAt), t.date(signsUntil(k)))+t.bar(k))
		}
	}
	return b.String()
}

func (t timeline) write(b *strings.Builder, line string) {
	b.WriteString(strings.TrimRight(line, " ") + "\n")
}

// signsUntil returns when the key stops signing: retired or revoked.
func signsUntil(k api.PlannedKey) time.Time {
	if !k.RevokedAt.IsZero() {
		return k.RevokedAt
	}
	return k.RetiresAt
}

func (t timeline) date(at time.Time) string {
	if at.IsZero() {
		return "-"
	}
	return at.UTC().Format(t.layout())
}

// axis writes the labels of the scale.
func (t timeline) axis() string {
	cells := []rune(strings.Repeat(" ", t.width))
	for _, tick := range t.ticks(t.width / 8) {
		at := t.column(tick.at)
		if at+len(tick.label) <= t.width {
			copy(cells[at:], []rune(tick.label))
		}
	}
	return string(cells)
}

// bar draws the life of a key. Every state has at least one character.
func (t timeline) bar(k api.PlannedKey) string {
	cells := []rune(strings.Repeat(" ", t.width))
	least := 0
	for _, s := range t.spans(k) {
		first := max(t.column(s.from), least)
		least = max(t.column(s.to), first+1)
		for i := first; i < min(least, t.width); i++ {
			cells[i] = t.paint.of(s.state)
		}
	}
	if now := t.column(t.plan.From); now < t.width { // a plan may end where it begins
		cells[now] = t.paint.now
	}
	return string(cells)
}

func (p palette) of(state string) rune {
	switch state {
	case "pending":
		return p.pending
	case "active":
		return p.active
	default:
		return p.retired
	}
}

// column returns the column of a time.
func (t timeline) column(at time.Time) int { return int(t.at(at) * float64(t.width)) }
