package main

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
)

const helpGolden = "testdata/help.golden"

// TestHelp keeps the whole manual in one file, so that a change of it is seen in review.
func TestHelp(t *testing.T) {
	var all bytes.Buffer
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		all.WriteString("$ " + cmd.CommandPath() + " --help\n")
		cli.WriteHelp(&all, cmd)
		all.WriteString("\n")
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				walk(c)
			}
		}
	}
	walk(newRoot(&cli.App{Out: &all, Err: &all}))
	if *update {
		if err := os.WriteFile(helpGolden, all.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(helpGolden)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(all.Bytes(), want) {
		t.Errorf("the help is not what %s has; run go test ./cmd/signet -run TestHelp -update and look at the difference", helpGolden)
	}
	for line := range strings.Lines(all.String()) {
		if len([]rune(line)) > 110 {
			t.Errorf("a line of the help is too long for a terminal: %s", line)
		}
	}
}

// TestEveryCommandHasHelp: each has a description and an example.
func TestEveryCommandHasHelp(t *testing.T) {
	var walk func(cmd *cobra.Command)
	walk = func(cmd *cobra.Command) {
		if !cmd.HasAvailableSubCommands() && !cmd.Hidden && cmd.Example == "" {
			t.Errorf("%s has no example", cmd.CommandPath())
		}
		if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
			t.Errorf("%s: its short help is %q; want a sentence without a full stop", cmd.CommandPath(), cmd.Short)
		}
		for _, c := range cmd.Commands() {
			walk(c)
		}
	}
	walk(newRoot(&cli.App{}))
}
