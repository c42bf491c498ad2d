//go:build testclock

package main

import (
	"os"
	"time"
)

// programClock returns a clock that tests set: TEST_CLOCK_FILE names a file with the duration that it is ahead of the
// machine's clock. Only builds with the tag testclock have it.
func programClock() func() time.Time {
	path := os.Getenv("TEST_CLOCK_FILE")
	if path == "" {
		return nil
	}
	return func() time.Time {
		text, err := os.ReadFile(path)
		if err != nil {
			panic(err)
		}
		by, err := time.ParseDuration(string(text))
		if err != nil {
			panic(err)
		}
		return time.Now().Round(0).Add(by) // without the monotonic reading, which a clock that is set does not have in common with before
	}
}
