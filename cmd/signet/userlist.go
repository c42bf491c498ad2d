package main

import (
	"net/http"

	"github.com/spf13/cobra"
)

func (a *app) userList() *cobra.Command {
	return &cobra.Command{
		Use:     "list",
		Short:   "List the users",
		Example: "signet user list\nsignet user list -o json | jq -r '.users[] | select(.disabled) | .username'",
		Args:    positional(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := a.connect()
			if err != nil {
				return err
			}
			l := a.newList("users", "USERNAME", "SUB", "STATE", "CREATED")
			fetch := func(after string) (page[userRecord], error) {
				var answer struct {
					Users []userRecord `json:"users"`
					Next  string       `json:"next"`
				}
				err := c.call(cmd.Context(), http.MethodGet, listPath(after, "users"), nil, &answer)
				return page[userRecord]{answer.Users, answer.Next}, err
			}
			err = pages("", fetch, func(r userRecord) error {
				return l.add(r, r.Username, r.Subject, r.state(), stamp(r.CreatedAt))
			})
			if err != nil {
				return err
			}
			return l.end("There are no users yet. `signet user create --username NAME` adds one.")
		},
	}
}
