package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

// misuseError is a command line that makes no sense, as opposed to one that did not work.
type misuseError struct{ error }

func misuse(format string, args ...any) error { return misuseError{fmt.Errorf(format, args...)} }

// subcommand is for commands that take nothing but the name of another command.
func subcommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := fmt.Sprintf("see `%s --help`", cmd.CommandPath())
	cmd.SuggestionsMinimumDistance = 2
	if s := cmd.SuggestionsFor(args[0]); len(s) > 0 {
		hint = fmt.Sprintf("did you mean `%s %s`?", cmd.CommandPath(), s[0])
	}
	return misuse("there is no command %q; %s", args[0], hint)
}

// positional wants exactly the named arguments.
func positional(names ...string) cobra.PositionalArgs { return positionalRange(len(names), names...) }

// positionalRange wants the first least of the named arguments, and takes all of them.
func positionalRange(least int, names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least {
			return misuse("%s is missing; see `%s --help`", names[len(args)], cmd.CommandPath())
		}
		if len(args) > len(names) {
			return misuse("%q is one argument too many; see `%s --help`", args[len(names)], cmd.CommandPath())
		}
		return nil
	}
}

// required wants each of the named flags to be given.
func required(cmd *cobra.Command, flags ...string) error {
	for _, name := range flags {
		if f := cmd.Flags().Lookup(name); !f.Changed || f.Value.String() == "" {
			return misuse("--%s is missing; see `%s --help`", name, cmd.CommandPath())
		}
	}
	return nil
}
