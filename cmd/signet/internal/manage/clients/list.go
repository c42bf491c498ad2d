package clients

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/connect"
	"signet/server/admin/api"
)

func list(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the clients",
		Long:    "List the clients. Long lists are cut, and \"+2\" stands for two more entries. `signet client show` and -o\njson show all of them.",
		Example: "signet client list\nsignet client list -o json | jq -r '.clients[].client_id'",
		Args:    cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := connect.Client(app)
			if err != nil {
				return err
			}
			l := app.NewList("clients", "CLIENT", "KIND", "STATE", "GRANTS", "SCOPES", "AUDIENCES", "ORIGINS", "INTROSPECTS", "KEYS")
			err = c.Clients(cmd.Context(), func(r api.Client) error {
				return l.Add(r, r.ID, kind(r), cli.EnabledWord(r.Disabled), brief(r.Grants, 22), brief(r.Scopes, 18), brief(r.Audiences, 24),
					countOrDash(len(r.Origins)), introspectsBriefly(r), countOrDash(len(publicKeys(r))))
			})
			if err != nil {
				return err
			}
			return l.End("There are no clients yet. `signet client create --help` shows how to make one.")
		},
	}
}

func countOrDash(n int) string {
	if n == 0 {
		return "-"
	}
	return strconv.Itoa(n)
}

func introspectsBriefly(r api.Client) string {
	if r.Introspect && len(r.IntrospectFor) > 0 {
		return "for " + brief(r.IntrospectFor, 20)
	}
	return yesNo(r.Introspect)
}

// brief writes a list in at most width characters: its first entries, and how many more there are.
func brief(list []string, width int) string {
	all := cli.Joined(list)
	if len([]rune(all)) <= width {
		return all
	}
	for n := len(list) - 1; n > 0; n-- {
		if text := fmt.Sprintf("%s +%d", strings.Join(list[:n], " "), len(list)-n); n == 1 || len([]rune(text)) <= width {
			first, more := strings.Join(list[:n], " "), fmt.Sprintf(" +%d", len(list)-n)
			return briefText(first, width-len(more)) + more
		}
	}
	return briefText(all, width)
}

// briefText cuts text to width characters.
func briefText(s string, width int) string {
	if r := []rune(s); len(r) > width {
		return string(r[:width-1]) + "…"
	}
	return s
}
