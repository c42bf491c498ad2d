package palette

import (
	"fmt"
	"strings"
)

// Contrasts that WCAG 2.2 asks for at level AA.
const (
	ForText     = 4.5 // §1.4.3
	ForControls = 3.0 // §1.4.11
)

// Settings are the colours that a company sets, in the notation #rrggbb. An empty one is the default.
type Settings struct {
	Accent         string // buttons, links, focus
	AccentDark     string // the same in the dark theme; empty: made from Accent
	Background     string // behind the card
	BackgroundDark string // the same in the dark theme
}

// Theme is the colours of one theme.
type Theme struct {
	Accent       Color // of buttons
	OnAccent     Color // their labels
	AccentText   Color // of links and the focus ring, on Surface
	Background   Color // of the page
	OnBackground Color // text on it
	Surface      Color // of the card
}

// Palette is the colours of both themes.
type Palette struct{ Light, Dark Theme }

var (
	white = Color{255, 255, 255}
	black = Color{0, 0, 0}

	defaultAccent         = Color{0x1f, 0x4f, 0xd8}
	defaultBackground     = Color{0xf4, 0xf5, 0xf7}
	defaultBackgroundDark = Color{0x0e, 0x10, 0x14}

	lightSurface = white
	darkSurface  = Color{0x18, 0x1b, 0x21}
)

// New returns the palette of the settings, or an error about the first one that is not a colour.
func New(set Settings) (Palette, error) {
	var firstErr error
	read := func(text string, otherwise Color) Color {
		if text == "" {
			return otherwise
		}
		c, err := Parse(text)
		if firstErr == nil {
			firstErr = err
		}
		return c
	}
	accent := read(set.Accent, defaultAccent)
	accentDark := read(set.AccentDark, shade(accent, white, ForText, darkSurface))
	background := read(set.Background, defaultBackground)
	backgroundDark := read(set.BackgroundDark, defaultBackgroundDark)
	return Palette{Light: theme(accent, background, lightSurface), Dark: theme(accentDark, backgroundDark, darkSurface)}, firstErr
}

func theme(accent, background, surface Color) Theme {
	away := white // from the surface
	if Contrast(surface, black) > Contrast(surface, white) {
		away = black
	}
	t := Theme{Accent: accent, OnAccent: readable(accent), Background: background, Surface: surface}
	t.AccentText = shade(accent, away, ForText, surface)
	end := readable(background)
	t.OnBackground = shade(background.mix(end, 0.6), end, ForText, background)
	return t
}

// readable returns black or white, whichever stands out more. One of them always has a contrast of 4.58 or more.
func readable(on Color) Color {
	if Contrast(on, white) >= ForText || Contrast(on, white) >= Contrast(on, black) {
		return white
	}
	return black
}

// shade returns c, or what is nearest to it on the way to another colour and has the contrast to the background.
func shade(c, towards Color, contrast float64, background Color) Color {
	for share := 0.0; share < 1; share += 0.02 {
		if s := c.mix(towards, share); Contrast(s, background) >= contrast {
			return s
		}
	}
	return towards
}

// Warnings returns what is readable only because the page does not show the colour that was set, or hardly
// stands out. Each begins with the name of the setting, below prefix. Settings that are not colours have none.
func (set Settings) Warnings(prefix string) (list []string) {
	p, err := New(set)
	if err != nil {
		return nil
	}
	for _, s := range []struct {
		name, text string
		theme      Theme
	}{{"accent", set.Accent, p.Light}, {"accent_dark", set.AccentDark, p.Dark}} {
		if s.text == "" {
			continue
		}
		if have := Contrast(s.theme.Accent, s.theme.Surface); have < ForText {
			list = append(list, fmt.Sprintf("%s%s: %s has a contrast of %.1f to the %s behind it, and WCAG 2.2 asks for %.1f for text and %.0f for buttons; "+
				"links are shown in %s instead", prefix, s.name, s.text, have, s.theme.Surface, ForText, ForControls, s.theme.AccentText))
		}
	}
	return list
}

// CSS returns the palette as custom properties of the root element.
func (p Palette) CSS() string {
	return ":root{" + p.Light.properties() + "}\n@media (prefers-color-scheme:dark){:root{" + p.Dark.properties() + "}}\n"
}

func (t Theme) properties() string {
	var b strings.Builder
	for _, v := range []struct {
		name  string
		color Color
	}{{"accent", t.Accent}, {"on-accent", t.OnAccent}, {"accent-text", t.AccentText},
		{"background", t.Background}, {"on-background", t.OnBackground}, {"surface", t.Surface}} {
		fmt.Fprintf(&b, "--%s:%s;", v.name, v.color)
	}
	return b.String()
}
