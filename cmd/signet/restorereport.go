package main

import (
	"fmt"
	"io"
	"strings"
)

// writeRestore says what was done, and what is left for people to do.
func writeRestore(w io.Writer, r restoreReport) {
	fmt.Fprintf(w, "restored %s from %s, as of %s\n", r.Store, r.From, stamp(r.AsOf))
	if r.MovedAside != "" {
		fmt.Fprintf(w, "what was there is now %s\n", r.MovedAside)
	}
	fmt.Fprintln(w)
	c := r.Counts
	for _, row := range []struct {
		what string
		n    int64
	}{{"clients", c.Clients}, {"users", c.Users}, {"sessions", c.Sessions}, {"revoked tokens", c.RevokedTokens}, {"spent assertions", c.Assertions}, {"audit events", c.Events}} {
		line(w, row.what, fmt.Sprint(row.n))
	}
	writeKept(w, r)
	writeRotations(w, r)
	writeChecks(w, r)
}

func writeKept(w io.Writer, r restoreReport) {
	fmt.Fprintln(w, "\nRevoked since the backup, and kept revoked:")
	switch {
	case len(r.Knew) > 0:
		fmt.Fprintf(w, "(as %s knew)\n", strings.Join(r.Knew, ", "))
	default:
		fmt.Fprintln(w, "(nothing was there that knew: no store that could be read, and no --audit-log)")
	}
	if r.Unread != "" {
		fmt.Fprintf(w, "The store that was there could not be asked: %s\n", printable(r.Unread))
	}
	fmt.Fprintln(w)
	k := r.Kept
	line(w, "keys", named(k.Keys))
	line(w, "sessions", fmt.Sprint(k.Sessions))
	line(w, "access tokens", fmt.Sprint(k.Tokens))
	for _, row := range []struct {
		what  string
		names []string
	}{
		{"users deleted", k.DeletedUsers}, {"users disabled", k.DisabledUsers}, {"users signed out", k.SignedOutUsers}, {"passwords void", k.Passwords},
		{"clients deleted", k.DeletedClients}, {"clients disabled", k.DisabledClients},
	} {
		if len(row.names) > 0 {
			line(w, row.what, named(row.names))
		}
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
			known = "some verifiers that do not ask again for an unknown kid lack it until " + stamp(rotation.Signer.KnownAt)
		}
		line(w, rotation.Alg, rotation.Signer.KID, known)
		line(w, "", "in place of "+rotation.Retired, "what that signed stays valid")
	}
}

// writeChecks is what a restore cannot do by itself.
func writeChecks(w io.Writer, r restoreReport) {
	l, n := r.Lost, 0
	check := func(format string, args ...any) {
		n++
		fmt.Fprintf(w, "%d. %s\n", n, printable(fmt.Sprintf(format, args...)))
	}
	fmt.Fprintln(w, "\nNow check:")
	fmt.Fprintln(w)
	check("What was revoked after %s and nobody here knew of lives again. Revoke it once more: sessions, tokens, users, clients, keys.", stamp(r.AsOf))
	check("Who has logged in since then logs in again (%d logins are known of). Refreshes since then are recognised and carried on.", l.Logins)
	if len(r.Kept.Passwords) > 0 {
		check("Passwords that were changed since do not work, nor do the ones before: `signet user set-password` for %s.", named(r.Kept.Passwords))
	}
	for _, lack := range []struct {
		names []string
		text  string
	}{
		{l.Users, "Users made since are gone, make them again: %s."},
		{l.ChangedUsers, "Claims of these users are as before: %s."},
		{l.Clients, "Clients made since are gone, make them again: %s."},
		{l.ChangedClients, "These clients are as before their last change, with rights or keys that they may have lost: %s."},
		{l.Secrets, "The newest secret of these clients does not work, and one that was replaced does: `signet client rotate-secret` for %s."},
	} {
		if len(lack.names) > 0 {
			check(lack.text, named(lack.names))
		}
	}
	if l.UserImports > 0 {
		check("Imports of users since are gone, do them again: %d.", l.UserImports)
	}
	check("Servers that have gone on running with a newer keyring write it back over this one, and that is right: it knows what was revoked. " +
		"Their key then signs, not this one: `signet keys list` shows it. Servers that were stopped before the backup was made know nothing: start them after this.")
	check("`signet keys list` and `signet audit list` once the server runs, and a login.")
}

// listed is how many names are shown at most.
const listed = 20

func named(names []string) string {
	if len(names) == 0 {
		return "0"
	}
	if len(names) > listed {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:listed], ", "), len(names)-listed)
	}
	return strings.Join(names, ", ")
}
