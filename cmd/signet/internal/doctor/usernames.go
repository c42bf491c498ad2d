package doctor

import (
	"context"
	"fmt"
	"strings"

	"signet/server/account"
	"signet/store"
)

// examineUsernames finds users whom an earlier version stored in different spellings of what is one name by now.
func (d *doctor) examineUsernames(ctx context.Context, s store.Users) {
	r, err := account.CheckNames(ctx, s)
	if err != nil {
		d.check("usernames", err, "")
		return
	}
	for _, names := range r.Collisions {
		d.note("usernames", stateWarning, fmt.Sprintf("%s are one name and belong to %d users: each logs in with the own spelling; rename all but one with `signet user rename`",
			strings.Join(names, " and "), len(names)))
	}
	if r.Former > 0 && len(r.Collisions) == 0 {
		d.note("usernames", stateOK, fmt.Sprintf("%d are in a spelling of an earlier version, and are found by any spelling", r.Former))
	}
}
