// Package palette makes the colours of the pages that people see from the few that a company sets.
//
// A company sets an accent and a background, for the light and the dark theme. Everything else follows, and by
// construction every text has a contrast of at least 4.5 to what is behind it (WCAG 2.2 §1.4.3), whatever was
// set: where the accent itself is too close to its background, links and the focus ring use a darker or lighter
// shade of it. Settings.Warnings names such a colour, because the page then shows another one than was meant.
package palette
