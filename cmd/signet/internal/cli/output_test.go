package cli

import (
	"errors"
	"testing"
)

// TestPrintable: control and direction characters of others are replaced.
func TestPrintable(t *testing.T) {
	got := Printable("a\x1b[2Jb\tc\u202edä漢")
	if want := "a\uFFFD[2Jb\uFFFDc\uFFFDdä漢"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestUsageErrorIsFoundThroughWrapping(t *testing.T) {
	if !errors.As(Usagef("a: %w", errors.New("b")), new(UsageError)) {
		t.Error("it is not a UsageError")
	}
}
