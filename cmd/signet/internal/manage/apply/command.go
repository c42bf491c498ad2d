package apply

import (
	"context"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/clientfile"
	"signet/cmd/signet/internal/connect"
	"signet/server/admin/api"
	"signet/server/admin/client"
)

// ExitChanges is the exit code of --exit-code where there are changes.
const ExitChanges = 3

// options are the flags of the command.
type options struct {
	files                              []string
	plan, prune, exitCode, yes, schema bool
	expect                             string
}

// New returns the command `signet apply`.
func New(app *cli.App) *cobra.Command {
	var o options
	cmd := &cobra.Command{
		Use:   "apply --file PATH",
		Short: "Make the clients what files in version control have",
		Long: "Compare the clients in files with those of the server, show the differences, and make them. Where there\n" +
			"are none it prints \"no changes\". A file is YAML:\n\n" +
			"  clients:\n" +
			"    - {id: spa, public: true, grants: [authorization_code], redirect_uris: [https://app.example.com/cb]}\n" +
			"    - {id: billing, grants: [client_credentials], secret: {file: /run/secrets/billing}}\n\n" +
			"Members are named as in the admin API. One that is left out has its default; disabled and secret stay as\n" +
			"they are. A secret is never in the file: it is {file: PATH}, {env: NAME}, {generate: PATH}, where PATH is\n" +
			"written if it is not there, or generate, which shows it once. `signet client export` writes such a file.\n\n" +
			"Clients that are in no file stay, unless --prune is given. Nothing is changed where a file has a mistake,\n" +
			"or where nobody could use the admin API afterwards. A client that was changed by somebody else since the\n" +
			"plan was made is not changed. What is set in signet.yaml is not set here.",
		Example: "signet apply -f clients/ --plan\nsignet apply -f clients/ --prune\nsignet apply -f clients/ --plan --exit-code   0: no changes, 3: changes, 1: failed\n" +
			"signet apply -f clients/ --expect 4f1a09c2d37e5b60   only the plan that was reviewed\nsignet apply --schema > clients.schema.json",
		Args: cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case o.schema:
				_, err := io.WriteString(app.Out, clientfile.Schema)
				return err
			case o.exitCode && !o.plan:
				return cli.Usagef("--exit-code goes with --plan, which is missing; see `%s --help`", cmd.CommandPath())
			case cmd.Flags().Changed("expect") && o.expect == "":
				return cli.Usagef("--expect is empty; give the name that --plan has printed, or leave it out")
			}
			if err := cli.Required(cmd, "file"); err != nil {
				return err
			}
			return apply(cmd.Context(), app, o)
		},
	}
	f := cmd.Flags()
	f.StringArrayVarP(&o.files, "file", "f", nil, "read clients from `PATH`: a file, a directory, or - for standard input; may be given again")
	f.BoolVar(&o.plan, "plan", false, "show the differences and change nothing")
	f.BoolVar(&o.prune, "prune", false, "delete the clients that are in no file")
	f.BoolVar(&o.exitCode, "exit-code", false, "with --plan: exit with 3 if there are changes")
	f.StringVar(&o.expect, "expect", "", "apply only the `PLAN` of that name, which --plan has printed")
	f.BoolVar(&o.schema, "schema", false, "print the JSON Schema of a file, for editors")
	cli.YesFlag(cmd, &o.yes)
	return connect.Flags(app, cmd)
}

func apply(ctx context.Context, app *cli.App, o options) error {
	wanted, err := clientfile.Read(app, o.files)
	if err != nil {
		return err
	}
	server, err := connect.MembersClient(app)
	if err != nil {
		return err
	}
	p, err := makePlan(ctx, app, server, wanted, o.prune)
	if err != nil {
		return err
	}
	switch {
	case o.expect != "" && len(p.Changes) > 0 && p.Name != o.expect:
		return fmt.Errorf("this is not the plan %s any more: the files, a secret or the server have changed; nothing was changed, so look at --plan again", o.expect)
	case o.plan:
		return show(app, p, o.exitCode)
	case len(p.Changes) == 0:
		return show(app, p, false)
	}
	if !app.JSON() {
		p.write(app.Out)
	}
	if p.Delete > 0 {
		if err := app.Confirm(o.yes, fmt.Sprintf("Delete %d %s for good?", p.Delete, cli.Plural(p.Delete, "client"))); err != nil {
			return err
		}
	}
	err = p.run(ctx, server)
	if printErr := app.Print(p, p.writeResult); err == nil {
		err = printErr
	}
	return err
}

// makePlan compares the files with the server.
func makePlan(ctx context.Context, app *cli.App, server *client.Client, wanted []clientfile.Client, prune bool) (*plan, error) {
	var has []api.Client
	if err := server.Clients(ctx, func(c api.Client) error { has = append(has, c); return nil }); err != nil {
		return nil, err
	}
	p, err := newPlan(wanted, has, prune, func(s *clientfile.SecretSource) (string, error) { return s.Read(app) })
	if err != nil {
		return nil, err
	}
	return p, p.checkAccess(has, clientOf(server.Token))
}

func show(app *cli.App, p *plan, exitCode bool) error {
	var err error
	if app.JSON() {
		err = app.PrintJSON(p)
	} else {
		p.write(app.Out)
	}
	if err == nil && exitCode && len(p.Changes) > 0 {
		return cli.ExitStatus(ExitChanges)
	}
	return err
}
