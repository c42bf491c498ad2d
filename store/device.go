package store

import (
	"errors"
	"slices"
	"strings"
)

// Device is what a browser has called itself, and its system, in one byte of a record: the number of the browser in the high four
// bits, that of the system in the low ones. 0 in either is unknown. It is for the user to recognise their own sessions by, and
// nothing is decided by it.
type Device uint8

// The names that a Device has, each at its number. New ones come at the end; there is room for 15 of each.
var (
	deviceBrowsers = []string{"", "Chrome", "Edge", "Firefox", "Opera", "Safari", "Samsung Internet"}
	deviceSystems  = []string{"", "Android", "ChromeOS", "iPad", "iPhone", "Linux", "macOS", "Windows"}
)

// NewDevice returns the Device of those names. A name that it cannot have is unknown.
func NewDevice(browser, system string) Device {
	return Device(max(0, slices.Index(deviceBrowsers, browser))<<4 | max(0, slices.Index(deviceSystems, system)))
}

// Browser returns the name of the browser; "" is unknown, or from a later version.
func (d Device) Browser() string { return nameAt(deviceBrowsers, int(d>>4)) }

// System returns the name of the system, as Browser does.
func (d Device) System() string { return nameAt(deviceSystems, int(d&0xf)) }

func nameAt(names []string, i int) string {
	if i < len(names) {
		return names[i]
	}
	return ""
}

// MarshalText writes BROWSER/SYSTEM.
func (d Device) MarshalText() ([]byte, error) { return []byte(d.Browser() + "/" + d.System()), nil }

// UnmarshalText reads what MarshalText has written, also that of a later version.
func (d *Device) UnmarshalText(text []byte) error {
	browser, system, ok := strings.Cut(string(text), "/")
	if !ok || len(text) > 64 {
		return errors.New("a device is BROWSER/SYSTEM")
	}
	*d = NewDevice(browser, system)
	return nil
}
