// Package duration reads and writes durations as operators spell them: 30s, 5m, 12h, 30d.
package duration

import (
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// Day is how long a d in a duration is.
const Day = 24 * time.Hour

// Parse reads what time.ParseDuration reads, without a sign, and days in front of it: 30d, 1d12h.
func Parse(s string) (time.Duration, error) {
	days, rest, found := strings.Cut(s, "d")
	if !found {
		days, rest = "", s
	}
	total := time.Duration(0)
	if found {
		n, err := strconv.ParseUint(days, 10, 32)
		if err != nil || n > uint64(math.MaxInt64/Day) {
			return 0, errDuration(s)
		}
		total = time.Duration(n) * Day
		if rest == "" {
			return total, nil
		}
	}
	part, err := time.ParseDuration(rest)
	if err != nil || strings.ContainsAny(rest, "-+") {
		return 0, errDuration(s)
	}
	if total += part; total < 0 {
		return 0, errDuration(s)
	}
	return total, nil
}

// durationShape is what a duration looks like, of whatever length.
var durationShape = regexp.MustCompile(`^(\d+d)?(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))*$`)

var bareNumber = regexp.MustCompile(`^\d+(\.\d+)?$`)

func errDuration(s string) error {
	amount, negative := strings.CutPrefix(s, "-")
	switch shaped := amount != "" && durationShape.MatchString(amount); {
	case shaped && negative:
		return fmt.Errorf("%q is negative; write it like 30s, 5m, 12h or 30d", s)
	case bareNumber.MatchString(amount):
		return fmt.Errorf("%q has no unit; write it like 30s, 5m, 12h or 30d", s)
	case shaped:
		return fmt.Errorf("%q is too long; a duration is at most %dd", s, math.MaxInt64/Day)
	}
	return fmt.Errorf("%q is not a duration; write it like 30s, 5m, 12h or 30d", s)
}

// Format is the shortest spelling that Parse reads back.
func Format(d time.Duration) string {
	if d >= 2*Day && d%Day == 0 {
		return strconv.FormatInt(int64(d/Day), 10) + "d"
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Value is a duration that a flag of the command line sets. It implements pflag.Value.
type Value time.Duration

// Set parses what the flag has.
func (v *Value) Set(s string) error {
	d, err := Parse(s)
	if err == nil {
		*v = Value(d)
	}
	return err
}

// String formats the value; that of zero is empty, so that the help names no default.
func (v *Value) String() string {
	if *v == 0 {
		return ""
	}
	return Format(time.Duration(*v))
}

// Type is its name in the help where the flag has no other.
func (*Value) Type() string { return "duration" }
