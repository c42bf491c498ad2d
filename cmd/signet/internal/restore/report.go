package restore

import (
	"fmt"
	"io"
	"strings"

	"signet/cmd/signet/internal/cli"
)

// writeRestore writes what was done and what the operator must do now.
func writeRestore(w io.Writer, r restoreReport) {
	fmt.Fprintf(w, "restored %s from %s, as of %s\n", r.Store, r.From, cli.FormatTime(r.AsOf))
	if r.MovedAside != "" {
		fmt.Fprintf(w, "what was there is now %s\n", r.MovedAside)
	}
	fmt.Fprintln(w)
	c := r.Counts
	for _, row := range []struct {
		what string
		n    int64
	}{{"clients", c.Clients}, {"users", c.Users}, {"sessions", c.Sessions}, {"revoked tokens", c.RevokedTokens}, {"spent assertions",
		c.Assertions}, {"audit events", c.Events}} {
		cli.Row(w, row.what, fmt.Sprint(row.n))
	}
	if r.Rehearsal {
		cli.Row(w, "left out", fmt.Sprint(r.LeftOut), cli.Plural(int(r.LeftOut), "session")+", because this is a rehearsal")
	}
	writeKept(w, r)
	if r.Rehearsal {
		fmt.Fprintln(w, "\nThis is a rehearsal: an install of its own, with its own signing keys. None of its tokens is valid elsewhere.")
		return
	}
	writeRotations(w, r)
	writeChecks(w, r)
}

func writeKept(w io.Writer, r restoreReport) {
	fmt.Fprintln(w, "\nRevoked since the backup, and still revoked:")
	switch {
	case len(r.Knew) > 0:
		fmt.Fprintf(w, "(taken from %s)\n", strings.Join(r.Knew, ", "))
	default:
		fmt.Fprintln(w, "(there was no store that could be read, and no --audit-log)")
	}
	if r.Unread != "" {
		fmt.Fprintf(w, "The store that was there could not be read: %s\n", cli.Printable(r.Unread))
	}
	if r.Older {
		fmt.Fprintln(w, "The store that was there is older than the backup. Records that are missing in it were not taken for deleted.")
	}
	for _, gap := range r.Gaps {
		fmt.Fprintln(w, cli.Printable(gap))
	}
	fmt.Fprintln(w)
	k := r.Kept
	cli.Row(w, "keys", listed(k.Keys))
	cli.Row(w, "sessions", fmt.Sprint(k.Sessions))
	cli.Row(w, "access tokens", fmt.Sprint(k.Tokens))
	for _, row := range []struct {
		what  string
		names []string
	}{
		{"users deleted", k.DeletedUsers}, {"users disabled", k.DisabledUsers}, {"users signed out", k.SignedOutUsers},
		{"new passwords", k.NewPasswords}, {"passwords void", k.Passwords}, {"claims narrowed", k.NarrowedUsers},
		{"clients deleted", k.DeletedClients}, {"clients disabled", k.DisabledClients}, {"clients narrowed", k.NarrowedClients},
		{"secrets revoked", k.RevokedSecrets}, {"new secrets", k.NewSecrets},
	} {
		if len(row.names) > 0 {
			cli.Row(w, row.what, listed(row.names))
		}
	}
	if k.Generations > 0 {
		cli.Row(w, "sessions moved on", fmt.Sprint(k.Generations), "their spent refresh tokens stay spent")
	}
	if k.Unreadable > 0 {
		cli.Row(w, "unreadable", fmt.Sprint(k.Unreadable), "records of the store that was there; its audit events counted for them")
	}
}

func writeRotations(w io.Writer, r restoreReport) {
	origin := "the backup's"
	if r.NewerKeyring {
		origin = "the store's, which was newer than the backup's"
	}
	fmt.Fprintf(w, "\nThe keyring is %s, now version %d. From now on signs:\n\n", origin, r.Keyring.Version)
	if len(r.Keyring.Rotations) == 0 {
		fmt.Fprintln(w, "the successors of the keys that were revoked; see `signet keys list`")
	}
	for _, rotation := range r.Keyring.Rotations {
		known := "known to every verifier"
		if !rotation.Signer.Aged(rotation.At) {
			known = "some verifiers that do not ask again for an unknown kid lack it until " + cli.FormatTime(rotation.Signer.KnownAt)
		}
		cli.Row(w, rotation.Alg, rotation.Signer.KID, known)
		cli.Row(w, "", "in place of "+rotation.Retired, "what that signed stays valid")
	}
}

// writeChecks lists the remaining steps of the operator.
func writeChecks(w io.Writer, r restoreReport) {
	l, n := r.Lost, 0
	check := func(format string, args ...any) {
		n++
		fmt.Fprintf(w, "%d. %s\n", n, cli.Printable(fmt.Sprintf(format, args...)))
	}
	fmt.Fprintln(w, "\nNow check:")
	fmt.Fprintln(w)
	check("A revocation after %s that none of these sources has is undone. Revoke it again: sessions, tokens, users, clients, keys.", cli.FormatTime(r.AsOf))
	check("Users who have logged in since then log in again (%d %s known of). Refreshes since then are recognised and carried on.", l.Logins, loginsAre(l.Logins))
	if len(r.Kept.Passwords) > 0 {
		check("Passwords that were changed since do not work, and neither do the ones before: `signet user set-password` for %s.", listed(r.Kept.Passwords))
	}
	for _, lack := range []struct {
		names []string
		text  string
	}{
		{l.Users, "Users made since are gone, make them again: %s."},
		{l.ChangedUsers, "Claims that were given to these users since are gone: %s."},
		{l.Clients, "Clients made since are gone, make them again: %s."},
		{l.ChangedClients, "These clients were changed since, and may have rights or keys again that they lost: compare `signet client show` for %s."},
		{l.Secrets, "The newest secret of these clients does not work. `signet client rotate-secret --revoke-old` makes one and revokes every older one: %s."},
	} {
		if len(lack.names) > 0 {
			check(lack.text, listed(lack.names))
		}
	}
	if l.UserImports > 0 {
		check("Imports of users since are gone, do them again: %d.", l.UserImports)
	}
	if r.Shared {
		check("A server that has kept running with a newer keyring writes it back over this one. That is right, because it has every revocation. " +
			"Its key then signs: see `signet keys list`. A server that was stopped before the backup was made has no such keyring: start it after this.")
	}
	check("Run `signet keys list` and `signet audit list` once the server runs, and log in once.")
}

func loginsAre(n int) string {
	if n == 1 {
		return "login is"
	}
	return "logins are"
}

// maxListed is the largest number of names in the report.
const maxListed = 20

func listed(names []string) string {
	if len(names) == 0 {
		return "0"
	}
	if len(names) > maxListed {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:maxListed], ", "), len(names)-maxListed)
	}
	return strings.Join(names, ", ")
}
