package keychart

import (
	"fmt"
	"html"
	"strings"
	"time"

	"signet/cmd/signet/internal/cli"
	"signet/server/admin/api"
)

// Lengths in the picture, in pixels.
const (
	svgWidth  = 1000
	svgLeft   = 96 // of the bars
	svgRight  = 24
	svgTop    = 96
	svgRow    = 26
	svgBar    = 16
	svgGroup  = 30 // the line of an algorithm
	svgFooter = 56
)

// drawSVG draws a plan as an SVG picture without scripts, fonts and links, for light and dark pages.
func drawSVG(p api.KeyPlan) string {
	d := &drawing{chart: newChart(p)}
	d.frame()
	d.scale()
	d.now()
	y := svgTop
	for _, g := range d.groups {
		d.text(16, y+19, "group", g.alg)
		y += svgGroup
		for _, k := range g.inOrder() {
			d.key(k, y)
			y += svgRow
		}
	}
	d.legend(y + 34)
	d.WriteString("</svg>\n")
	return d.String()
}

type drawing struct {
	chart
	strings.Builder
}

func (d *drawing) height() int {
	h := svgTop + svgFooter
	for _, g := range d.groups {
		h += svgGroup + svgRow*len(g.keys)
	}
	return h
}

const svgStyle = `<style>
  text { font: 12px system-ui, -apple-system, "Segoe UI", "DejaVu Sans", sans-serif; fill: #1f2328 }
  .title { font-size: 18px; font-weight: 600 } .group { font-weight: 600 } .name { font-family: ui-monospace, "DejaVu Sans Mono", monospace }
  .soft { fill: #59636e } .date { fill: #ffffff; font-size: 11px } .middle { text-anchor: middle } .end { text-anchor: end }
  .paper { fill: #ffffff } .grid { stroke: #e3e7eb } .now { stroke: #cf222e; stroke-width: 1.5 } .nowtext { fill: #cf222e; font-weight: 600 }
  .pending { fill: #8fbdf5 } .active { fill: #0b57b5 } .retired { fill: #96a0ab } .revoked { fill: #cf222e }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .soft { fill: #9198a1 } .date { fill: #0d1117 } .paper { fill: #0d1117 } .grid { stroke: #2a313a }
    .pending { fill: #1f4f8a } .active { fill: #79b8ff } .retired { fill: #69737e } .now { stroke: #ff7b72 } .nowtext, .revoked { fill: #ff7b72 }
  }
</style>
`

func (d *drawing) frame() {
	h := d.height()
	fmt.Fprintf(d, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-labelledby="title">`+"\n",
		svgWidth, h, svgWidth, h)
	fmt.Fprintf(d, "<title id=\"title\">Signing keys, %s to %s</title>\n", d.plan.From.UTC().Format(time.DateOnly), d.plan.Until.UTC().Format(time.DateOnly))
	d.WriteString(svgStyle)
	fmt.Fprintf(d, `<rect class="paper" width="%d" height="%d"/>`+"\n", svgWidth, h)
	d.text(16, 34, "title", "Signing keys")
	d.text(16, 54, "soft", fmt.Sprintf("by the plan of %s, keyring version %d; times are UTC", cli.FormatTime(d.plan.From), d.plan.Version))
}

// x returns the position of a time.
func (d *drawing) x(t time.Time) float64 {
	return svgLeft + d.at(t)*(svgWidth-svgLeft-svgRight)
}

func (d *drawing) text(x float64, y int, class, text string) {
	fmt.Fprintf(d, `<text x="%.1f" y="%d" class="%s">%s</text>`+"\n", x, y, class, html.EscapeString(cli.Printable(text)))
}

func (d *drawing) scale() {
	bottom := d.height() - svgFooter
	for _, tick := range d.ticks(14) {
		x := d.x(tick.at)
		fmt.Fprintf(d, `<path class="grid" d="M%.1f %dV%d"/>`+"\n", x, svgTop-8, bottom)
		class := "soft middle"
		if x > svgWidth-svgRight-16 {
			class = "soft end"
		}
		d.text(x, svgTop-14, class, tick.label)
	}
}

// key draws one row. Each part has a title, for screen readers and for the mouse.
func (d *drawing) key(k api.PlannedKey, y int) {
	d.text(16, y+17, "name", shortName(k))
	for _, s := range d.spans(k) {
		from, width := d.x(s.from), max(d.x(s.to)-d.x(s.from), 3)
		fmt.Fprintf(d, `<rect class="%s" x="%.1f" y="%d" width="%.1f" height="%d" rx="2"><title>%s</title></rect>`+"\n",
			s.state, from, y+5, width, svgBar, html.EscapeString(cli.Printable(spanText(k, s.state))))
		if label := d.signsFrom(k); s.state == "active" && width > 7*float64(len(label)) {
			d.text(from+width/2, y+17, "date middle", label)
		}
	}
	if !k.RevokedAt.IsZero() && !k.RevokedAt.Before(d.from) {
		fmt.Fprintf(d, `<rect class="revoked" x="%.1f" y="%d" width="3" height="%d"><title>revoked %s</title></rect>`+"\n", d.x(k.RevokedAt), y+5, svgBar, cli.FormatTime(k.RevokedAt))
	}
}

// signsFrom returns the text in the bar.
func (d *drawing) signsFrom(k api.PlannedKey) string {
	if d.layout() == time.DateOnly {
		return k.ActivatesAt.UTC().Format("Jan 2")
	}
	return k.ActivatesAt.UTC().Format("15:04:05")
}

func spanText(k api.PlannedKey, state string) string {
	switch state {
	case "pending":
		return k.Name + ": published from " + cli.FormatTime(k.PublishedAt) + ", does not sign yet"
	case "active":
		return k.Name + ": signs from " + cli.FormatTime(k.ActivatesAt)
	default:
		return k.Name + ": kept from " + cli.FormatTime(k.RetiresAt) + ", verifies only"
	}
}

// now draws the line of the present. It is drawn before the bars, so that it does not cross their text.
func (d *drawing) now() {
	x, bottom := d.x(d.plan.From), d.height()-svgFooter
	fmt.Fprintf(d, `<path class="now" d="M%.1f %dV%d"/>`+"\n", x, svgTop-8, bottom+4)
	d.text(x, bottom+16, "nowtext middle", "now")
}

func (d *drawing) legend(y int) {
	x := svgLeft
	for _, e := range []struct{ class, text string }{
		{"pending", "published, not signing yet"}, {"active", "signs, from the date in it"}, {"retired", "kept, verifies only"},
	} {
		fmt.Fprintf(d, `<rect class="%s" x="%d" y="%d" width="%d" height="12" rx="2"/>`+"\n", e.class, x, y, 22)
		d.text(float64(x+30), y+10, "soft", e.text)
		x += 40 + 7*len(e.text)
	}
	d.text(float64(x), y+10, "soft", "A, B, C … are not made yet")
}
