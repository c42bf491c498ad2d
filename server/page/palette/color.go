package palette

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
)

// Color is a colour of sRGB.
type Color struct{ R, G, B uint8 }

var notation = regexp.MustCompile(`^#[0-9A-Fa-f]{6}$`)

// Parse reads a colour in the notation #rrggbb.
func Parse(s string) (Color, error) {
	if !notation.MatchString(s) {
		return Color{}, fmt.Errorf("%.40q is not a colour; write it like #1f4fd8", s)
	}
	n, err := strconv.ParseUint(s[1:], 16, 32)
	if err != nil {
		return Color{}, err
	}
	return Color{uint8(n >> 16), uint8(n >> 8), uint8(n)}, nil
}

// String returns the notation that Parse reads.
func (c Color) String() string { return fmt.Sprintf("#%02x%02x%02x", c.R, c.G, c.B) }

// luminance is the relative luminance of WCAG 2.2.
func (c Color) luminance() float64 {
	linear := func(v uint8) float64 {
		s := float64(v) / 255
		if s <= 0.04045 {
			return s / 12.92
		}
		return math.Pow((s+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(c.R) + 0.7152*linear(c.G) + 0.0722*linear(c.B)
}

// Contrast returns the contrast ratio of WCAG 2.2, from 1 to 21. The order does not matter.
func Contrast(a, b Color) float64 {
	x, y := a.luminance(), b.luminance()
	return (max(x, y) + 0.05) / (min(x, y) + 0.05)
}

// mix returns c with a share of other in it, from 0 to 1.
func (c Color) mix(other Color, share float64) Color {
	part := func(a, b uint8) uint8 { return uint8(math.Round(float64(a) + (float64(b)-float64(a))*share)) }
	return Color{part(c.R, other.R), part(c.G, other.G), part(c.B, other.B)}
}
