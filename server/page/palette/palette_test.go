package palette_test

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"signet/server/page/palette"
)

// TestContrast has examples of WCAG 2.2's formula.
func TestContrast(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want float64
	}{{"#000000", "#ffffff", 21}, {"#777777", "#ffffff", 4.48}, {"#ffffff", "#ffffff", 1}, {"#ff0000", "#ffffff", 4.0}} {
		a, _ := palette.Parse(c.a)
		b, _ := palette.Parse(c.b)
		if got := palette.Contrast(a, b); math.Abs(got-c.want) > 0.01 || got != palette.Contrast(b, a) {
			t.Errorf("%s on %s is %.2f, want %.2f", c.a, c.b, got, c.want)
		}
	}
}

// TestReadable: whatever is set, every text can be read.
func TestReadable(t *testing.T) {
	levels := []int{0x00, 0x40, 0x77, 0x80, 0xa0, 0xc0, 0xff}
	for _, r := range levels {
		for _, g := range levels {
			for _, b := range levels {
				c := fmt.Sprintf("#%02x%02X%02x", r, g, b)
				p, err := palette.New(palette.Settings{Accent: c, Background: c, BackgroundDark: c})
				if err != nil {
					t.Fatal(err)
				}
				for name, theme := range map[string]palette.Theme{"light": p.Light, "dark": p.Dark} {
					for what, have := range map[string]float64{
						"the label of a button":  palette.Contrast(theme.OnAccent, theme.Accent),
						"a link":                 palette.Contrast(theme.AccentText, theme.Surface),
						"text on the background": palette.Contrast(theme.OnBackground, theme.Background),
					} {
						if have < palette.ForText {
							t.Errorf("%s, %s: %s has a contrast of %.2f", c, name, what, have)
						}
					}
				}
			}
		}
	}
}

// TestWarnings: a colour that is not shown as it was set is named.
func TestWarnings(t *testing.T) {
	for set, want := range map[palette.Settings]string{
		{}:                  "",
		{Accent: "#1f4fd8"}: "",
		{Accent: "#ffd400"}: "page.colors.accent: #ffd400 has a contrast of 1.4 to the #ffffff behind it",
		{Accent: "#1f4fd8", AccentDark: "#222222"}: "page.colors.accent_dark: #222222 has a contrast of 1.1",
		{Accent: "red"}: "",
	} {
		if got := strings.Join(set.Warnings("page.colors."), "; "); !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%+v: %s, want %s", set, got, want)
		}
	}
}

// TestParse: the style sheet has what Parse accepts, so it accepts nothing but colours.
func TestParse(t *testing.T) {
	for _, s := range []string{"", "red", "#fff", "#12345", "#1234567", "#12345g", "#123456;", " #123456", "#123456\n", "１２３４５６７"} {
		if _, err := palette.Parse(s); err == nil {
			t.Errorf("%q is accepted", s)
		}
	}
	if c, err := palette.Parse("#A0b1C2"); err != nil || c.String() != "#a0b1c2" {
		t.Errorf("#A0b1C2 is %s, %v", c, err)
	}
}
