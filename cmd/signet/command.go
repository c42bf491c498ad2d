package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
)

// What the process exits with.
const (
	exitDone   = 0
	exitFailed = 1
	exitMisuse = 2
)

// The headings of `signet --help`.
const (
	groupRun    = "Run a server"
	groupManage = "Manage a running server"
	groupMove   = "Back up and move"
	groupTools  = "Look and check"
)

// commands is the whole command line, in the order of its help.
func (a *app) commands() []row {
	return []row{
		{groupRun, a.devCommand()},
		{groupRun, a.initCommand()},
		{groupRun, a.serveCommand()},
		{groupManage, a.clientCommand()},
		{groupManage, a.userCommand()},
		{groupManage, a.sessionCommand()},
		{groupManage, a.throttleCommand()},
		{groupManage, a.keysCommand()},
		{groupManage, a.auditCommand()},
		{groupMove, a.backupCommand()},
		{groupMove, a.restoreCommand()},
		{groupMove, a.exportCommand()},
		{groupMove, a.importCommand()},
		{groupMove, a.storeCommand()},
		{groupTools, a.tokenCommand()},
		{groupTools, a.configCommand()},
		{groupTools, a.doctorCommand()},
		{groupTools, a.drillCommand()},
		{groupTools, a.healthcheckCommand()},
		{groupTools, a.versionCommand()},
		{groupTools, a.completionCommand()},
	}
}

// row is one noun of the command line and the heading it stands under.
type row struct {
	group   string
	command *cobra.Command
}

// run executes one command line and returns what to exit with.
func run(ctx context.Context, args []string, std stdio, environ []string) int {
	return (&app{stdio: std, environ: environ, format: formatTable, version: version()}).run(ctx, args)
}

func (a *app) run(ctx context.Context, args []string) int {
	root := a.root()
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	a.report(cmd, err)
	if errors.As(err, new(misuseError)) {
		return exitMisuse
	}
	return exitFailed
}

func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "signet",
		Short:         "Signet issues signed access tokens for your own apps",
		Long:          "Signet is an OAuth 2.0 token server for your own apps: a password, a refresh token or client\ncredentials go in, a signed JWT that every service can verify comes out.",
		Example:       "signet dev                                       try it, nothing to set up\nsignet init --dir DIR --issuer URL               set up a server to keep\nsignet serve --config DIR/signet.yaml            run it\nsignet client create --id web --grant password   let an app ask for tokens",
		Args:          subcommand,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(a.in)
	root.SetOut(a.out)
	root.SetErr(a.err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return misuse("%s; see `%s --help`", err, cmd.CommandPath())
	})
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { writeHelp(cmd.OutOrStdout(), cmd) })
	root.PersistentFlags().VarP(&a.format, "output", "o", "write for people or for programs")
	for _, group := range []string{groupRun, groupManage, groupMove, groupTools} {
		root.AddGroup(&cobra.Group{ID: group, Title: group})
	}
	for _, r := range a.commands() {
		r.command.GroupID = r.group
		root.AddCommand(r.command)
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpCommand(helpCommand(map[string]func(io.Writer){connectionTopic: func(w io.Writer) { a.showConnectionHelp(w) }}))
	settle(root)
	return root
}

// report writes one line: what was done, why it did not work, what to do. Several problems of a
// configuration are a line each.
func (a *app) report(cmd *cobra.Command, err error) {
	what := "signet: "
	if path := strings.TrimPrefix(cmd.CommandPath(), "signet"); path != "" {
		what += path[1:] + ": "
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if line != "" {
			fmt.Fprintln(a.err, what+line)
		}
	}
}
