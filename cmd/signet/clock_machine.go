//go:build !testclock

package main

import "time"

// programClock returns the clock that the program goes by; nil is the machine's.
func programClock() func() time.Time { return nil }
