package main

import (
	"errors"
	"fmt"
	"strings"

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

// settle gives every command what it must not lack: flags in the order of the code, and arguments
// that count as misuse when they are wrong.
func settle(cmd *cobra.Command) {
	cmd.Flags().SortFlags = false
	cmd.PersistentFlags().SortFlags = false
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			err := check(cmd, args)
			if err != nil && !errors.As(err, new(misuseError)) {
				err = misuse("%w; see `%s --help`", err, cmd.CommandPath())
			}
			return err
		}
	}
	for _, c := range cmd.Commands() {
		settle(c)
	}
}

// noun is a command that only has commands below it.
func noun(use, short, long string, verbs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Long: long, Args: subcommand}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return misuse("say what to do: %s; see `%s --help`", strings.Join(verbsOf(cmd), ", "), cmd.CommandPath())
	}
	cmd.AddCommand(verbs...)
	return cmd
}

func verbsOf(cmd *cobra.Command) []string {
	var list []string
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			list = append(list, c.Name())
		}
	}
	return list
}
