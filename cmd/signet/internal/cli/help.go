package cli

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// sectionKey annotates the flags of the connection, which the help of a command does not repeat.
const (
	sectionKey        = "section"
	ConnectionSection = "Which server"
	ConnectionTopic   = "connection" // of `signet help`
)

// MarkConnectionFlag has the help refer to `signet help connection` for the flag.
func MarkConnectionFlag(f *pflag.Flag) {
	f.Annotations = map[string][]string{sectionKey: {ConnectionSection}}
}

// WriteHelp writes the help of one command. It begins with what readers look for first: what the command does, its
// usage, and an example to copy. The options come last.
func WriteHelp(w io.Writer, cmd *cobra.Command) {
	fmt.Fprintln(w, strings.TrimSpace(firstOf(cmd.Long, cmd.Short+".")))
	fmt.Fprintf(w, "\nUsage:\n  %s\n", useLine(cmd))
	if cmd.Example != "" {
		fmt.Fprintf(w, "\nExample:\n%s", indent(cmd.Example))
	}
	writeCommands(w, cmd)
	writeFlags(w, cmd)
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(w, "\nRun `%s COMMAND --help` for the options of a command.\n", cmd.CommandPath())
	}
}

func firstOf(s, otherwise string) string {
	if s != "" {
		return s
	}
	return otherwise
}

// useLine writes how the command is used. It ends with [OPTIONS] if there are options that Use does not name.
func useLine(cmd *cobra.Command) string {
	switch {
	case cmd.HasAvailableSubCommands():
		return cmd.CommandPath() + " COMMAND"
	case !cmd.HasParent():
		return cmd.Use
	}
	line, more := cmd.Parent().CommandPath()+" "+cmd.Use, ""
	cmd.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
		if f.Name != "help" && f.Name != "output" && len(f.Annotations[sectionKey]) == 0 && !strings.Contains(line, "--"+f.Name) {
			more = " [OPTIONS]"
		}
	})
	return line + more
}

func indent(s string) string {
	var b strings.Builder
	for line := range strings.Lines(strings.TrimSpace(s)) {
		b.WriteString("  " + strings.TrimSpace(line) + "\n")
	}
	return b.String()
}

func writeCommands(w io.Writer, cmd *cobra.Command) {
	if groups := cmd.Groups(); len(groups) > 0 {
		for _, g := range groups {
			writeGroup(w, cmd, g.Title, g.ID)
		}
		return
	}
	writeGroup(w, cmd, "Commands", "")
}

func writeGroup(w io.Writer, cmd *cobra.Command, title, id string) {
	headed := false
	for _, c := range cmd.Commands() {
		if !c.IsAvailableCommand() || c.GroupID != id {
			continue
		}
		if !headed {
			fmt.Fprintf(w, "\n%s:\n", title)
			headed = true
		}
		fmt.Fprintf(w, "  %-*s  %s\n", max(cmd.NamePadding(), c.NamePadding()), c.Name(), lowerFirst(c.Short))
	}
}

// lowerFirst writes the first letter small. It leaves names such as OAuth as they are.
func lowerFirst(s string) string {
	if len(s) > 1 && s[1] >= 'a' && s[1] <= 'z' {
		return strings.ToLower(s[:1]) + s[1:]
	}
	return s
}

// writeFlags writes the flags of a command that has no commands below it.
func writeFlags(w io.Writer, cmd *cobra.Command) {
	if cmd.HasAvailableSubCommands() {
		return
	}
	options := pflag.NewFlagSet("", pflag.ContinueOnError)
	connection := pflag.NewFlagSet("", pflag.ContinueOnError)
	options.SortFlags, connection.SortFlags = false, false
	place := func(f *pflag.Flag) {
		switch {
		case f.Name == "help":
		case len(f.Annotations[sectionKey]) > 0:
			connection.AddFlag(f)
		default:
			options.AddFlag(f)
		}
	}
	cmd.LocalFlags().VisitAll(place)
	cmd.InheritedFlags().VisitAll(place)
	WriteSection(w, "Options", options)
	if connection.HasAvailableFlags() {
		fmt.Fprintf(w, "\n%s: --socket, --config, --admin and --admin-token-file, as in `signet help %s`.\n", ConnectionSection, ConnectionTopic)
	}
}

// WriteSection writes flags under a heading.
func WriteSection(w io.Writer, title string, flags *pflag.FlagSet) {
	if flags.HasAvailableFlags() {
		fmt.Fprintf(w, "\n%s:\n%s", title, flags.FlagUsagesWrapped(100))
	}
}

// HelpCommand is `signet help COMMAND` and `signet help TOPIC`. Topics are what several commands have in common.
func HelpCommand(topics map[string]func(io.Writer)) *cobra.Command {
	return &cobra.Command{
		Use:    "help [COMMAND]...",
		Short:  "Show the help of a command",
		Hidden: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 && topics[args[0]] != nil {
				topics[args[0]](cmd.OutOrStdout())
				return nil
			}
			found, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return Usagef("there is no command %q; see `signet --help`", strings.Join(args, " "))
			}
			return found.Help()
		},
	}
}
