package config

import (
	"errors"
	"strings"
)

// Problem is one thing that is wrong with a configuration.
type Problem struct {
	Source string // where it was set: "signet.yaml:12" or "SIGNET_LISTEN"; empty when it was not
	Field  string // refresh.grace; empty when it is about the whole file
	Text   string // what is wrong and how to mend it
}

func (p *Problem) Error() string {
	parts := make([]string, 0, 3)
	for _, s := range []string{p.Source, p.Field, p.Text} {
		if s != "" {
			parts = append(parts, s)
		}
	}
	return strings.Join(parts, ": ")
}

// Warning is something that does not keep the server from starting but that its operator hardly meant.
type Warning string

func join(problems []*Problem) error {
	errs := make([]error, len(problems))
	for i, p := range problems {
		errs[i] = p
	}
	return errors.Join(errs...)
}

// nearest returns which of the known names was probably meant, or "".
func nearest(name string, known []string) string {
	best, least := "", 3
	for _, k := range known {
		if d := distance(name, k); d < least && d < len(k)/2+1 {
			best, least = k, d
		}
	}
	return best
}

// distance is the number of bytes to insert, delete or change to get from a to b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			above := row[j+1]
			row[j+1] = min(above, row[j]) + 1
			if a[i] == b[j] {
				row[j+1] = min(row[j+1], diagonal)
			} else {
				row[j+1] = min(row[j+1], diagonal+1)
			}
			diagonal = above
		}
	}
	return row[len(b)]
}
