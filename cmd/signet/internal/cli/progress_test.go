package cli

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

// TestProgress: a terminal shows one line, which is gone in the end; elsewhere nothing is written.
func TestProgress(t *testing.T) {
	for name, test := range map[string]struct {
		total int64
		want  string
	}{
		"of a known size":      {4 << 20, "checked [############............]  50 % of 4 MiB"},
		"of a size that lies":  {1 << 20, "checked [########################] 100 % of 1 MiB"},
		"of whatever is there": {0, "checked 2 MiB"},
	} {
		var out bytes.Buffer
		p := &Progress{Status: &Status{out: &out}, in: io.LimitReader(zeros{}, 4<<20), verb: "checked", total: test.total}
		if _, err := io.Copy(io.Discard, p); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), "\r"+test.want+"\x1b[K") || !strings.HasSuffix(out.String(), "\r\x1b[K") {
			t.Errorf("%s: got %q, want %q in it and an empty line in the end", name, out.String(), test.want)
		}
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

func TestTally(t *testing.T) {
	var out bytes.Buffer
	tally := &Tally{Status: &Status{out: &out}, verb: "exported"}
	for range 10_000 {
		tally.Add()
	}
	tally.Clear()
	if want := "\rexported 4096 records\x1b[K\rexported 8192 records\x1b[K\r\x1b[K"; out.String() != want {
		t.Errorf("got %q, want %q", out.String(), want)
	}
}

func TestProgressWithoutTerminal(t *testing.T) {
	var out bytes.Buffer
	app := &App{Err: &out}
	if _, err := io.Copy(io.Discard, app.Watch("sent", io.LimitReader(zeros{}, 4<<20), 0)); err != nil {
		t.Fatal(err)
	}
	tally := app.Tally("exported")
	for range 10_000 {
		tally.Add()
	}
	tally.Clear()
	if out.Len() > 0 {
		t.Errorf("got %q, want nothing", out.String())
	}
}
