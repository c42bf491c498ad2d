package manage

import (
	"context"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/connect"
	"signet/server/admin/api"
	"signet/server/admin/client"
	"signet/store"
)

// followEvery is the interval at which --follow asks for new events.
const followEvery = time.Second

// auditQuery holds the flags of `audit list`.
type auditQuery struct {
	typ, client, sub, user, address, since, until string
	after                                         uint64
	limit                                         int
	follow                                        bool
}

// NewAudit returns the command `signet audit`.
func NewAudit(app *cli.App) *cobra.Command {
	return connect.Flags(app, cli.Group("audit", "Show the audit trail",
		"Show the audit trail: logins, refusals, reused refresh tokens, revocations, key changes, and every\n"+
			"change through the admin API.",
		auditList(app)))
}

func auditList(app *cli.App) *cobra.Command {
	var q auditQuery
	var types bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the newest events, and follow new ones",
		Long: "List the newest events, oldest first. --follow also prints new events until it is interrupted; with\n" +
			"-o json each event is then a line.\n\n" +
			"A --type also selects its subtypes: refresh selects refresh_reuse and refresh_late, and user selects\n" +
			"user.create and all others of users. An event with the outcome \"more\" counts refusals that have no event\n" +
			"of their own.",
		Example: "signet audit list --user alice --since 24h\nsignet audit list --address 192.0.2.0/24 --type login\nsignet audit list --follow",
		Args:    cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			if types {
				return listEventTypes(app)
			}
			c, err := connect.Client(app)
			if err != nil {
				return err
			}
			newest := !cmd.Flags().Changed("after")
			if q.follow {
				return followEvents(cmd.Context(), app, c, q, newest)
			}
			return listEvents(cmd.Context(), app, c, q, newest)
		},
	}
	f := cmd.Flags()
	f.BoolVarP(&q.follow, "follow", "f", false, "also print new events as they come")
	f.Var((*cli.Filter)(&q.typ), "type", "only events of `TYPE` and its subtypes, such as login, refresh or client")
	f.BoolVar(&types, "types", false, "list the types instead")
	f.Var((*cli.Filter)(&q.user), "user", "only events of the user `NAME`, with failed logins under that name")
	f.Var((*cli.Filter)(&q.address), "address", "only events from an `ADDRESS` or a network such as 192.0.2.0/24")
	f.Var((*cli.Filter)(&q.since), "since", "only events since `TIME`: 2026-03-04T12:00:00Z, or a duration before now, such as 90m or 7d")
	f.Var((*cli.Filter)(&q.until), "until", "only events before `TIME`, which has the same forms")
	f.Var((*cli.Filter)(&q.client), "client-id", "only events of the client `ID`")
	f.Var((*cli.Filter)(&q.sub), "sub", "only events of the user with that `SUB`")
	f.Uint64Var(&q.after, "after", 0, "list the events that follow number `SEQ` (default: the newest events)")
	f.IntVar(&q.limit, "limit", 100, "at most `N` events; the largest `N` is 1000")
	return cmd
}

func fetchEvents(ctx context.Context, c *client.Client, q auditQuery, newest bool) (api.EventList, error) {
	v := url.Values{"limit": {fmt.Sprint(q.limit)}}
	for name, value := range map[string]string{"type": q.typ, "client_id": q.client, "sub": q.sub, "user": q.user,
		"address": q.address, "since": q.since, "until": q.until} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if newest {
		v.Set("newest", "true")
	} else {
		v.Set("after", fmt.Sprint(q.after))
	}
	var p api.EventList
	err := c.Call(ctx, api.ListEvents.At().Query(v), nil, &p)
	return p, err
}

func listEvents(ctx context.Context, app *cli.App, c *client.Client, q auditQuery, newest bool) error {
	p, err := fetchEvents(ctx, c, q, newest)
	if err != nil {
		return err
	}
	l := app.NewList("events", eventHeader()...)
	for _, e := range p.Events {
		if err := l.Add(e, eventCells(e)...); err != nil {
			return err
		}
	}
	return l.End("There are no such events.")
}

// eventTypeRecord is one type of event, as -o json prints it.
type eventTypeRecord struct {
	Type    string `json:"type"`
	Class   string `json:"class"`
	Meaning string `json:"meaning"`
}

// listEventTypes lists the types of this program. It needs no server.
func listEventTypes(app *cli.App) error {
	l := app.NewList("types", "TYPE", "CLASS", "MEANING")
	for _, t := range store.EventTypes {
		r := eventTypeRecord{t.Name, string(t.Class), t.Meaning}
		if err := l.Add(r, r.Type, r.Class, r.Meaning); err != nil {
			return err
		}
	}
	return l.End("There are no types.")
}

// followEvents prints events until it is interrupted, which is not an error.
func followEvents(ctx context.Context, app *cli.App, c *client.Client, q auditQuery, newest bool) error {
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	for first := true; ; first = false {
		p, err := fetchEvents(ctx, c, q, newest)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		if err := printEvents(app, p.Events, first); err != nil {
			return err
		}
		q.after, newest = max(q.after, p.Next), false
		if len(p.Events) == q.limit {
			continue // there may be more already
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

// printEvents writes fixed columns, because later events may need more space.
func printEvents(app *cli.App, events []api.Event, header bool) error {
	w := tabwriter.NewWriter(app.Out, 20, 0, 2, ' ', 0)
	if header && !app.JSON() {
		cli.Row(w, eventHeader()...)
	}
	for _, e := range events {
		if !app.JSON() {
			cli.Row(w, eventCells(e)...)
		} else if err := app.PrintJSON(e); err != nil {
			return err
		}
	}
	return cli.Flush(w)
}

func eventHeader() []string {
	return []string{"SEQ", "AT", "TYPE", "OUTCOME", "CLIENT", "SUB", "MORE"}
}

func eventCells(e api.Event) []string {
	return []string{fmt.Sprint(e.Seq), cli.FormatTime(e.At), e.Type, cli.OrDash(e.Outcome), cli.OrDash(e.ClientID), cli.OrDash(e.Subject), eventDetails(e)}
}

// eventDetails returns the members that only some events have.
func eventDetails(e api.Event) string {
	var parts []string
	add := func(name, value string) {
		if value != "" {
			parts = append(parts, name+"="+value)
		}
	}
	add("actor", e.Actor)
	add("address", e.Address)
	add("sid", e.SessionID)
	add("kid", e.KeyID)
	for _, name := range slices.Sorted(maps.Keys(e.Detail)) {
		add(name, e.Detail[name])
	}
	add("request_id", e.RequestID)
	return cli.OrDash(strings.Join(parts, " "))
}
