package manage

import (
	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/server/admin/api"
)

func userRename(app *cli.App) *cobra.Command {
	var keep bool
	cmd := &cobra.Command{
		Use:   "rename NAME NEW",
		Short: "Change a user's username",
		Long: "Change a user's username. The sub, the password and the sessions stay. Tokens have the new username from the\n" +
			"next refresh on. The old username is free at once, unless --keep-old keeps it as an alias.",
		Example: "signet user rename alice alice@example.com --keep-old",
		Args:    cli.Args("NAME", "NEW"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return callUser(app, cmd, api.RenameUser.At(args[0]), api.NewName{Username: args[1], KeepOld: keep})
		},
	}
	cmd.Flags().BoolVar(&keep, "keep-old", false, "the user can log in with the old username too")
	return cmd
}

func userAlias(app *cli.App) *cobra.Command {
	return cli.Group("alias", "Give a user further names to log in with",
		"Give a user further names to log in with, such as an e-mail address beside a username. A user has at\n"+
			"most eight. No two users have the same name. Tokens have the username, whichever name was used.",
		userAliasVerb(app, "add", "Add a name to log in with", api.AddAlias),
		userAliasVerb(app, "remove", "Remove a name to log in with", api.RemoveAlias))
}

func userAliasVerb(app *cli.App, name, short string, verb api.Verb) *cobra.Command {
	return &cobra.Command{
		Use:     name + " NAME ALIAS",
		Short:   short,
		Example: "signet user alias " + name + " alice alice@example.com",
		Args:    cli.Args("NAME", "ALIAS"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return callUser(app, cmd, verb.At(args[0], args[1]), nil)
		},
	}
}
