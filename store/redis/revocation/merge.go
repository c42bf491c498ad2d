package revocation

import (
	"bytes"
	"slices"

	"signet/store"
	"signet/store/codec"
)

// How a change of a user or client is done again on a server that may have lost it. It may also have
// lost nothing, or other changes may have come in between, which this replica has not seen. So
// what is done again only takes away: it disables, ends sessions, removes secrets, and never the reverse.
//
// A record that is, byte for byte, one that our change has replaced is the state from before it, and
// gets the acknowledged record whole, except that a disabled one stays disabled. From any other record
// only the order of revisions and epochs shows whether it has our change; on a tie the more
// restrictive of both counts. Wall clocks are not asked.

// MergeUser is the record that takes the place of now; before: now is from before lost.
func MergeUser(now, lost store.User, before bool) store.User {
	next := now
	switch {
	case before:
		next = lost
	case lost.Epoch > now.Epoch || lost.NotBefore.After(now.NotBefore): // the lost change has ended sessions
		next.Epoch, next.NotBefore = max(now.Epoch, lost.Epoch), store.Later(now.NotBefore, store.Millis(lost.NotBefore))
		next.Disabled = now.Disabled || lost.Disabled
		if lost.Revision >= now.Revision {
			next.PasswordHash, next.Imported, next.Move, next.MovedAt = lost.PasswordHash, lost.Imported, lost.Move, lost.MovedAt
			next.Username, next.Aliases = lost.Username, lost.Aliases
		}
		next.Revision = max(now.Revision, lost.Revision) + 1
	case lost.Revision > now.Revision:
		next.PasswordHash, next.Imported, next.Claims, next.Revision = lost.PasswordHash, lost.Imported, lost.Claims, lost.Revision
		next.Move, next.MovedAt = lost.Move, lost.MovedAt
		next.Username, next.Aliases = lost.Username, lost.Aliases
		next.Disabled = now.Disabled || lost.Disabled
	case lost.Revision == now.Revision && lost.Disabled && !now.Disabled:
		next.Disabled = true
		next.Revision++
	}
	if before && now.Disabled && !lost.Disabled {
		next.Disabled = true
		next.Revision++
	}
	return next
}

// MergeClient is MergeUser for clients. Of secrets only those that both records have stay.
func MergeClient(now, lost store.Client, before bool) store.Client {
	next := now
	switch {
	case !now.CreatedAt.Equal(lost.CreatedAt): // made anew since
		return now
	case before:
		next = lost
	case lost.Epoch > now.Epoch || lost.NotBefore.After(now.NotBefore):
		next.Epoch, next.NotBefore = max(now.Epoch, lost.Epoch), store.Later(now.NotBefore, store.Millis(lost.NotBefore))
		next.Disabled = now.Disabled || lost.Disabled
		next.Revision = max(now.Revision, lost.Revision) + 1
	}
	if !before && lost.Revision > 0 && lost.Revision >= now.Revision && !SameClient(now, lost) {
		next.Secrets = inBoth(now.Secrets, lost.Secrets)
		next.Disabled = next.Disabled || lost.Disabled
		next.Revision = lost.Revision + 1
	}
	if before && now.Disabled && !lost.Disabled {
		next.Disabled = true
		next.Revision++
	}
	return next
}

func inBoth(a, b []store.Secret) []store.Secret {
	return slices.DeleteFunc(slices.Clone(a), func(one store.Secret) bool {
		return !slices.ContainsFunc(b, func(other store.Secret) bool { return bytes.Equal(one.Hash, other.Hash) })
	})
}

// SameClient reports whether both have the same record.
func SameClient(a, b store.Client) bool {
	x, errX := codec.EncodeClient(a, store.Format2)
	y, errY := codec.EncodeClient(b, store.Format2)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
