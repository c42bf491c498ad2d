package redistest

import (
	"testing"
	"time"
)

// patience is how long a wait may take. It is generous because a wait costs only what it needs,
// and a busy machine must not fail a test.
const patience = 30 * time.Second

// Wait asks check until it returns nil, and fails the test with the last error after 30 seconds.
func Wait(t testing.TB, what string, check func() error) {
	t.Helper()
	waitFor(t, what, patience, check)
}

func waitFor(t testing.TB, what string, atMost time.Duration, check func() error) {
	t.Helper()
	const pause = 10 * time.Millisecond
	for deadline := time.Now().Add(atMost); ; time.Sleep(pause) {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s: %v", atMost, what, err)
		}
	}
}
