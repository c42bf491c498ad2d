package main

import (
	"fmt"
	"net/http"
	"net/url"

	"github.com/spf13/cobra"
)

// pageSize is how much of a list one call asks for.
const pageSize = 1000

func (a *app) clientList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the clients",
		Example: "signet client list\nsignet client list -o json | jq -r '.clients[].client_id'",
		Args:    positional(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.connect()
			if err != nil {
				return err
			}
			l := a.newList("clients", "CLIENT", "KIND", "STATE", "GRANTS", "SCOPES", "AUDIENCES", "ORIGINS", "INTROSPECTS", "KEYS")
			fetch := func(after string) (page[clientRecord], error) {
				var answer struct {
					Clients []clientRecord `json:"clients"`
					Next    string         `json:"next"`
				}
				err := c.call(cmd.Context(), http.MethodGet, listPath(after, "clients"), nil, &answer)
				return page[clientRecord]{answer.Clients, answer.Next}, err
			}
			err = pages("", fetch, func(r clientRecord) error {
				return l.add(r, r.ID, r.kind(), enabledWord(r.Disabled), words(r.Grants), words(r.Scopes), words(r.Audiences),
					words(r.Origins), r.introspects(), words(r.kids()))
			})
			if err != nil {
				return err
			}
			return l.end("There are no clients yet. `signet client create --help` shows how to make one.")
		},
	}
}

func listPath(after string, parts ...string) string {
	q := url.Values{"limit": {fmt.Sprint(pageSize)}}
	if after != "" {
		q.Set("after", after)
	}
	return pathTo(parts...) + "?" + q.Encode()
}
