package signingkeys

import (
	"errors"
	"net/url"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/connect"
	"signet/cmd/signet/internal/keychart"
	"signet/config/duration"
	"signet/server/admin/api"
)

// planFormat is the value of -o of a command that can draw a picture.
type planFormat struct{ *cli.Format }

func (planFormat) Type() string { return "table|json|svg" }

func (f planFormat) Set(s string) error {
	if cli.Format(s) == cli.FormatSVG {
		*f.Format = cli.FormatSVG
		return nil
	}
	if err := f.Format.Set(s); err != nil {
		return errors.New("write table, json or svg")
	}
	return nil
}

func keysPlan(app *cli.App) *cobra.Command {
	var long string
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show the plan of the signing keys",
		Long: "Show the plan of the signing keys for the coming year: when each is published, signs, and leaves the key\n" +
			"set. Keys that do not exist yet are called A, B, C. With -o svg it is a picture for a wiki or a ticket.",
		Example: "signet keys plan\nsignet keys plan --for 90d -o svg > keys.svg",
		Args:    cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			query := url.Values{}
			if cmd.Flags().Changed("for") {
				d, err := duration.Parse(long)
				if err != nil {
					return cli.Usagef("--for %w", err)
				}
				query.Set("for", d.String())
			}
			var p api.KeyPlan
			if err := connect.Call(cmd.Context(), app, api.PlanKeys.At().Query(query), nil, &p); err != nil {
				return err
			}
			return keychart.Print(app, p)
		},
	}
	cmd.Flags().StringVar(&long, "for", "", "plan for `DURATION`, such as 90d or 12h (default: a year, or 53 lifetimes of a key)")
	cmd.Flags().VarP(planFormat{&app.Format}, "output", "o", "write for people, for programs, or a picture")
	return cmd
}
