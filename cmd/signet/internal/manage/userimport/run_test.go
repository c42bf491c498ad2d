package userimport

import (
	"bufio"
	"slices"
	"strings"
	"testing"
	"time"
)

// A server that goes away late in a part of slow lines is waited for, and one that does not come back is given up.
func TestPatience(t *testing.T) {
	begun := time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)
	p := patience{limit: 2 * time.Minute}
	for _, step := range []struct {
		name    string
		after   time.Duration // the first try began
		answers int
		wait    time.Duration
		again   bool
	}{
		{"three minutes of work, then gone", 180 * time.Second, 4000, firstWait, true},
		{"still gone", 181 * time.Second, 0, 2 * firstWait, true},
		{"still gone", 299 * time.Second, 0, 4 * firstWait, true},
		{"back, as far as before, and gone", 300 * time.Second, 4000, 8 * firstWait, true},
		{"gone for too long", 301 * time.Second, 0, 16 * firstWait, false},
		{"further than ever", 310 * time.Second, 4001, firstWait, true},
		{"gone for too long again", 431 * time.Second, 0, 2 * firstWait, false},
	} {
		if wait, again := p.next(begun.Add(step.after), step.answers); wait != step.wait || again != step.again {
			t.Errorf("%s: got %v, %t, want %v, %t", step.name, wait, again, step.wait, step.again)
		}
	}
	for range 10 {
		p.next(begun, 0)
	}
	if wait, _ := p.next(begun, 0); wait != longWait {
		t.Errorf("many tries: got %v, want %v", wait, longWait)
	}
}

// The end of an answer that a killed server has left in the middle of a line is no line: it would be read as an answer of something
// that is no signet server, and the import would end.
func TestHalfALineIsNone(t *testing.T) {
	for text, want := range map[string][]string{"": nil, "{}\n{}\n": {"{}", "{}"}, "{}\n{\"line\":2,\"user": {"{}"}, "{\"li": nil, "\n\n": {"", ""}} {
		lines, got := bufio.NewScanner(strings.NewReader(text)), []string(nil)
		lines.Split(wholeLines)
		for lines.Scan() {
			got = append(got, lines.Text())
		}
		if !slices.Equal(got, want) || lines.Err() != nil {
			t.Errorf("%q: got %q, %v, want %q", text, got, lines.Err(), want)
		}
	}
}
