package cli

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// UsageError reports a command line that cannot be carried out as it is written. The program exits with 2.
type UsageError struct{ error }

// Usagef returns a UsageError.
func Usagef(format string, args ...any) error { return UsageError{fmt.Errorf(format, args...)} }

// ExitStatus ends the program with an exit code of its own, without a message.
type ExitStatus int

func (ExitStatus) Error() string { return "" }

// OnlyCommands is the Args of a command that takes the name of a command below it and nothing else.
func OnlyCommands(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := fmt.Sprintf("see `%s --help`", cmd.CommandPath())
	cmd.SuggestionsMinimumDistance = 2
	if s := cmd.SuggestionsFor(args[0]); len(s) > 0 {
		hint = fmt.Sprintf("did you mean `%s %s`?", cmd.CommandPath(), s[0])
	}
	return Usagef("there is no command %q; %s", args[0], hint)
}

// Args requires exactly the named arguments.
func Args(names ...string) cobra.PositionalArgs { return ArgsRange(len(names), names...) }

// ArgsRange requires the first least of the named arguments and accepts all of them.
func ArgsRange(least int, names ...string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) < least {
			return Usagef("%s is missing; see `%s --help`", names[len(args)], cmd.CommandPath())
		}
		if len(args) > len(names) {
			return Usagef("%q is one argument too many; see `%s --help`", args[len(names)], cmd.CommandPath())
		}
		return nil
	}
}

// Required returns a UsageError unless each of the named flags is given and not empty.
func Required(cmd *cobra.Command, flags ...string) error {
	for _, name := range flags {
		if f := cmd.Flags().Lookup(name); !f.Changed || f.Value.String() == "" {
			return Usagef("--%s is missing; see `%s --help`", name, cmd.CommandPath())
		}
	}
	return nil
}

// Prepare completes the commands below cmd: flags keep the order of the code, and wrong arguments are a UsageError.
func Prepare(cmd *cobra.Command) {
	cmd.Flags().SortFlags = false
	cmd.PersistentFlags().SortFlags = false
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			err := check(cmd, args)
			if err != nil && !errors.As(err, new(UsageError)) {
				err = Usagef("%w; see `%s --help`", err, cmd.CommandPath())
			}
			return err
		}
	}
	for _, c := range cmd.Commands() {
		Prepare(c)
	}
}

// Group returns a command that only has commands below it.
func Group(use, short, long string, verbs ...*cobra.Command) *cobra.Command {
	cmd := &cobra.Command{Use: use, Short: short, Long: long, Args: OnlyCommands}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return Usagef("say what to do: %s; see `%s --help`", strings.Join(verbsOf(cmd), ", "), cmd.CommandPath())
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
