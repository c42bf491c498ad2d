package apply

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"signet/cmd/signet/internal/cli"
)

// marks begin the line of a client.
var marks = map[string]string{create: "+", update: "~", remove: "-"}

// write shows the plan to people.
func (p *plan) write(w io.Writer) {
	if len(p.Changes) == 0 {
		fmt.Fprintln(w, "no changes")
		return
	}
	for _, c := range p.Changes {
		note := map[string]string{create: "new", remove: "deleted; its sessions end"}[c.Action]
		if note != "" {
			note = "  (" + note + ")"
		}
		fmt.Fprintln(w, marks[c.Action]+" "+cli.Printable(c.ClientID)+note)
		for _, d := range c.Members {
			writeDifference(w, c.Action, d)
		}
		if c.Secret != "" {
			fmt.Fprintln(w, "    secret: "+cli.Printable(c.Secret))
		}
		for _, warning := range c.Warnings {
			fmt.Fprintln(w, "    warning: "+cli.Printable(warning))
		}
	}
	fmt.Fprintf(w, "%d to create, %d to change, %d to delete (plan %s)\n", p.Create, p.Update, p.Delete, p.Name)
}

func writeDifference(w io.Writer, action string, d difference) {
	from, isList := texts(d.From)
	to, _ := texts(d.To)
	switch {
	case action == create:
		fmt.Fprintf(w, "    %s: %s\n", d.Member, cli.Printable(cli.OrDash(strings.Join(to, " "))))
	case isList && sameEntries(from, to) && !slices.Equal(from, to):
		fmt.Fprintf(w, "    %s: in another order: %s\n", d.Member, cli.Printable(cli.Joined(to)))
	case isList && slices.Equal(from, to):
		fmt.Fprintf(w, "    %s: changed under the same names: %s\n", d.Member, cli.Printable(cli.Joined(to)))
	case isList:
		var entries []string
		for _, entry := range to {
			if !slices.Contains(from, entry) {
				entries = append(entries, "+"+entry)
			}
		}
		for _, entry := range from {
			if !slices.Contains(to, entry) {
				entries = append(entries, "-"+entry)
			}
		}
		fmt.Fprintf(w, "    %s: %s\n", d.Member, cli.Printable(strings.Join(entries, " ")))
	default:
		fmt.Fprintf(w, "    %s: %s -> %s\n", d.Member, cli.Printable(cli.OrDash(from[0])), cli.Printable(cli.OrDash(to[0])))
	}
}

// texts returns a value as texts; keys are named by their kids.
func texts(value any) (list []string, isList bool) {
	switch value := value.(type) {
	case []string:
		return value, true
	case string:
		return []string{value}, false
	case bool:
		return []string{fmt.Sprint(value)}, false
	case nil:
		return nil, true
	}
	set, _ := json.Marshal(value) // it was decoded from JSON
	return kids(set), true
}

func sameEntries(a, b []string) bool {
	return slices.Equal(slices.Sorted(slices.Values(a)), slices.Sorted(slices.Values(b)))
}

// writeResult shows what was done of the plan, and the secrets that were made for no file.
func (p *plan) writeResult(w io.Writer) {
	done := 0
	for _, c := range p.Changes {
		if c.Result == applied {
			done++
		}
	}
	if done == len(p.Changes) {
		fmt.Fprintf(w, "applied: %d created, %d changed, %d deleted\n", p.Create, p.Update, p.Delete)
	} else {
		for _, c := range p.Changes {
			fmt.Fprintf(w, "%s: %s %s\n", c.Result, c.Action, cli.Printable(c.ClientID))
		}
	}
	for _, c := range p.Changes {
		for _, warning := range c.Warnings[c.shown:] {
			fmt.Fprintf(w, "warning: client %s: %s\n", cli.Printable(c.ClientID), cli.Printable(warning))
		}
	}
	for _, c := range p.Changes {
		if c.Made != "" {
			fmt.Fprintf(w, "\nclient_id      %s\nclient_secret  %s\n", c.ClientID, c.Made)
		}
	}
}
