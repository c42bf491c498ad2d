package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/connect"
	"signet/cmd/signet/internal/daemon"
	"signet/cmd/signet/internal/doctor"
	"signet/cmd/signet/internal/drill"
	"signet/cmd/signet/internal/inspect"
	"signet/cmd/signet/internal/install"
	"signet/cmd/signet/internal/manage"
	"signet/cmd/signet/internal/manage/apply"
	"signet/cmd/signet/internal/manage/clients"
	"signet/cmd/signet/internal/manage/signingkeys"
	"signet/cmd/signet/internal/preview"
	"signet/cmd/signet/internal/restore"
	"signet/cmd/signet/internal/transfer"
)

// Exit codes of the program.
const (
	exitDone   = 0
	exitFailed = 1
	exitUsage  = 2
)

// The headings of `signet --help`.
const (
	groupRun    = "Run a server"
	groupManage = "Manage a running server"
	groupMove   = "Back up and move"
	groupTools  = "Inspect and check"
)

// commands returns all commands in the order of the help.
func commands(app *cli.App) []row {
	return []row{
		{groupRun, daemon.NewDev(app)},
		{groupRun, install.New(app)},
		{groupRun, daemon.NewServe(app)},
		{groupManage, clients.New(app)},
		{groupManage, apply.New(app)},
		{groupManage, manage.NewUser(app)},
		{groupManage, manage.NewSession(app)},
		{groupManage, manage.NewThrottle(app)},
		{groupManage, signingkeys.New(app)},
		{groupManage, manage.NewAudit(app)},
		{groupMove, manage.NewBackup(app)},
		{groupMove, restore.New(app)},
		{groupMove, transfer.NewExport(app)},
		{groupMove, transfer.NewImport(app)},
		{groupMove, newStore(app)},
		{groupTools, inspect.New(app)},
		{groupTools, manage.NewBlocklist(app)},
		{groupTools, doctor.NewConfig(app)},
		{groupTools, preview.New(app)},
		{groupTools, doctor.New(app)},
		{groupTools, drill.New(app)},
		{groupTools, doctor.NewHealthcheck(app)},
		{groupTools, versionCommand(app)},
		{groupTools, completionCommand(app)},
	}
}

// newStore groups commands of two packages: seal calls the server, and compact opens the file itself.
func newStore(app *cli.App) *cobra.Command {
	return cli.Group("store", "Maintain the store: seal its records, shrink its file", "Maintain the store.",
		manage.NewStoreSeal(app), transfer.NewCompact(app))
}

// row is a command and its heading in the help.
type row struct {
	group   string
	command *cobra.Command
}

// run executes one command line and returns what to exit with.
func run(ctx context.Context, app *cli.App, args []string) int {
	app.Version = version()
	root := newRoot(app)
	root.SetArgs(args)
	cmd, err := root.ExecuteContextC(ctx)
	if err == nil {
		return exitDone
	}
	report(app, cmd, err)
	if status, ok := errors.AsType[cli.ExitStatus](err); ok {
		return int(status)
	}
	if errors.As(err, new(cli.UsageError)) {
		return exitUsage
	}
	return exitFailed
}

// newRoot builds the command tree.
func newRoot(app *cli.App) *cobra.Command {
	app.Format = cmp.Or(app.Format, cli.FormatTable)
	var showVersion bool
	root := &cobra.Command{
		Use:     "signet",
		Short:   "Signet issues signed access tokens for your own apps",
		Long:    "Signet is an OAuth 2.0 token server for your own apps: a password, a refresh token or client\ncredentials go in, a signed JWT that every service can verify comes out.",
		Example: "signet dev                                       try it, nothing to set up\nsignet init --dir DIR --issuer URL               set up a server to keep\nsignet serve --config DIR/signet.yaml            run it\nsignet client create --id web --grant password   let an app ask for tokens",
		Args:    cli.OnlyCommands,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if showVersion {
				return printVersion(app)
			}
			return cmd.Help()
		},
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetIn(app.In)
	root.SetOut(app.Out)
	root.SetErr(app.Err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return cli.Usagef("%s; see `%s --help`", err, cmd.CommandPath())
	})
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { cli.WriteHelp(cmd.OutOrStdout(), cmd) })
	root.Flags().BoolVar(&showVersion, "version", false, "show the version, as `signet version` does")
	root.PersistentFlags().VarP(&app.Format, "output", "o", "write for people or for programs")
	for _, group := range []string{groupRun, groupManage, groupMove, groupTools} {
		root.AddGroup(&cobra.Group{ID: group, Title: group})
	}
	for _, r := range commands(app) {
		r.command.GroupID = r.group
		root.AddCommand(r.command)
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetHelpCommand(cli.HelpCommand(map[string]func(io.Writer){cli.ConnectionTopic: func(w io.Writer) { connect.WriteHelp(app, w) }}))
	cli.Prepare(root)
	return root
}

// report writes an error: the command, what happened, why, and what to do. Each joined error has a line.
func report(app *cli.App, cmd *cobra.Command, err error) {
	what := "signet: "
	if path := strings.TrimPrefix(cmd.CommandPath(), "signet"); path != "" {
		what += path[1:] + ": "
	}
	for line := range strings.SplitSeq(err.Error(), "\n") {
		if line != "" {
			fmt.Fprintln(app.Err, what+line)
		}
	}
}
