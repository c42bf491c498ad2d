package clients

import (
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/connect"
	"signet/server/admin/api"
)

// New returns the command `signet client`.
func New(app *cli.App) *cobra.Command {
	return connect.Flags(app, cli.Group("client", "Register and change the apps that ask for tokens",
		"Register, show and change clients: the apps that ask for tokens.\n\n"+
			"A confidential client (a server) authenticates with a secret, which Signet makes and shows once, or\n"+
			"with a signature by its own key, whose public half is registered. A public client (a browser or\n"+
			"phone app) does neither. A client may use only the grants, scopes and audiences it is given.",
		create(app), list(app), show(app), export(app), update(app), rotateSecret(app), revokeSecret(app),
		enableOrDisable(app, "disable", api.DisableClient, "Refuse a client until it is enabled again", "Its sessions and tokens end. After it is enabled again, its users sign in anew."),
		enableOrDisable(app, "enable", api.EnableClient, "Accept a disabled client again", ""),
		remove(app)))
}

func create(app *cli.App) *cobra.Command {
	var id string
	var public bool
	var spec spec
	cmd := &cobra.Command{
		Use:   "create --id ID --grant GRANT[,GRANT]",
		Short: "Register a client",
		Long: "Register a client. Its secret is printed once: Signet stores only a hash of it. A client with public\n" +
			"keys (--jwks) has no secret and authenticates by private_key_jwt.",
		Example: "signet client create --id web --grant password,refresh_token --scope read,write\n" +
			"signet client create --id phone --public --grant password,refresh_token\n" +
			"signet client create --id spa --public --grant authorization_code --redirect-uri https://app.example.com/cb\n" +
			"signet client create --id billing --grant client_credentials --audience https://api.example.com\n" +
			"signet client create --id reports --grant client_credentials --jwks reports.pub",
		Args: cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := cli.Required(cmd, "id"); err != nil {
				return err
			}
			if len(spec.introspectFor) > 0 && !spec.introspect {
				return cli.Usagef("--introspect-for goes with --introspect, which is missing; see `%s --help`", cmd.CommandPath())
			}
			if err := cli.Required(cmd, "grant"); err != nil && !spec.introspect {
				return err
			}
			body, err := spec.given(app, cmd)
			if err != nil {
				return err
			}
			body["client_id"], body["public"] = id, public
			return createClient(app, cmd, body)
		},
	}
	cmd.Flags().StringVar(&id, "id", "", "the client's `ID`, as apps will send it")
	cmd.Flags().BoolVar(&public, "public", false, "it cannot keep a secret: a browser or phone app")
	spec.flags(cmd)
	return cmd
}

func createClient(app *cli.App, cmd *cobra.Command, body map[string]any) error {
	var made api.Client
	if err := connect.Call(cmd.Context(), app, api.CreateClient.At(), body, &made); err != nil {
		return err
	}
	showWarnings(app, made.Warnings)
	if err := app.Print(made, func(w io.Writer) { writeCredentials(w, made.ID, made.Secret); writeKeys(w, made) }); err != nil {
		return err
	}
	if made.Secret != "" {
		app.Notef("\nKeep the secret now: it is not shown again. `signet client rotate-secret %s` makes another.", made.ID)
	}
	return nil
}

func writeCredentials(w io.Writer, id, secret string) {
	cli.Row(w, "client_id", id)
	if secret != "" {
		cli.Row(w, "client_secret", secret)
	}
}

func show(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:     "show ID",
		Short:   "Show a client",
		Example: "signet client show web",
		Args:    cli.Args("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return call(app, cmd, api.ShowClient.At(args[0]), nil)
		},
	}
}

func update(app *cli.App) *cobra.Command {
	var spec spec
	cmd := &cobra.Command{
		Use:   "update ID",
		Short: "Change a client",
		Long: "Change a client. Options that are not given change nothing. A list replaces the old list, and an empty\n" +
			"list clears it. Sessions lose a removed grant, scope or audience at the next refresh, and a session\n" +
			"without an audience ends.\n\n" +
			"To replace a client's key, give the old and the new key, and later the new key alone. To change from\n" +
			"keys to a secret, run `signet client rotate-secret`.",
		Example: "signet client update web --scope read,write,admin --ttl 10m\nsignet client update web --audience ''\n" +
			"cat old.pub new.pub | signet client update reports --jwks -",
		Args: cli.Args("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			body, err := spec.given(app, cmd)
			if err != nil {
				return err
			}
			if len(body) == 0 {
				return cli.Usagef("say what to change; see `%s --help`", cmd.CommandPath())
			}
			return call(app, cmd, api.UpdateClient.At(args[0]), body)
		},
	}
	spec.flags(cmd)
	return cmd
}

func enableOrDisable(app *cli.App, name string, verb api.Verb, short, more string) *cobra.Command {
	cmd := &cobra.Command{
		Use:     name + " ID",
		Short:   short,
		Example: "signet client " + name + " web",
		Args:    cli.Args("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return call(app, cmd, verb.At(args[0]), nil)
		},
	}
	if more != "" {
		cmd.Long = short + ".\n" + more
	}
	return cmd
}

func remove(app *cli.App) *cobra.Command {
	var yes bool
	cmd := &cobra.Command{
		Use:     "delete ID",
		Short:   "Delete a client",
		Long:    "Delete a client. Its sessions end. To stop it for some time, disable it instead.",
		Example: "signet client delete web",
		Args:    cli.Args("ID"),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := app.Confirm(yes, fmt.Sprintf("Delete the client %q for good?", args[0])); err != nil {
				return err
			}
			return connect.Delete(cmd.Context(), app, args[0], api.DeleteClient.At(args[0]))
		},
	}
	cli.YesFlag(cmd, &yes)
	return cmd
}
