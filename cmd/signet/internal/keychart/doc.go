// Package keychart draws the plan of the signing keys: as text for a terminal, with block elements or ASCII alone, and
// as an SVG picture. It has no clock: the plan has the time from which it starts.
package keychart
