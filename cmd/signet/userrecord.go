package main

import (
	"encoding/json"
	"io"
	"maps"
	"slices"
	"time"

	"github.com/spf13/cobra"
)

// userRecord is a User of the admin API.
type userRecord struct {
	Subject     string                     `json:"sub"`
	Username    string                     `json:"username"`
	Claims      map[string]json.RawMessage `json:"claims"`
	Disabled    bool                       `json:"disabled"`
	HasPassword bool                       `json:"has_password"`
	CreatedAt   time.Time                  `json:"created_at"`
	UpdatedAt   time.Time                  `json:"updated_at"`
}

// userCall makes one call that answers with a user, and shows it.
func (a *app) userCall(cmd *cobra.Command, method, path string, body any) error {
	c, err := a.connect()
	if err != nil {
		return err
	}
	var r userRecord
	if err := c.call(cmd.Context(), method, path, body, &r); err != nil {
		return err
	}
	return a.print(r, r.write)
}

func (r userRecord) write(w io.Writer) {
	line(w, "username", r.Username)
	line(w, "sub", r.Subject)
	line(w, "state", r.state())
	for _, name := range slices.Sorted(maps.Keys(r.Claims)) {
		line(w, "claim "+name, string(r.Claims[name]))
	}
	line(w, "created", stamp(r.CreatedAt))
	line(w, "updated", stamp(r.UpdatedAt))
}

func (r userRecord) state() string {
	if !r.HasPassword && !r.Disabled {
		return "enabled, has no password"
	}
	return enabledWord(r.Disabled)
}
