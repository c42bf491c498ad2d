package userimport

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/usertable"
	"signet/server/admin/api"
	"signet/server/password"
)

// idsHere has the usernames of users who are here, by a hash of their id in the old system: some 60 bytes a user. The server looks
// for names alone, so a person who is here and has another name in the file would be made a second time.
type idsHere map[uint64]string

// loadIDs reads the users who are here, as soon as a row has an id. A server that went away meanwhile is waited for.
func (r *run) loadIDs(ctx context.Context) error {
	patience := patience{limit: time.Duration(r.wait)}
	for {
		here := idsHere{}
		n := 0
		err := r.server.Users(ctx, url.Values{}, func(u api.User) error {
			r.answered = true
			if n++; n%1000 == 0 {
				r.progress.Show("%d users here, whose ids are compared", n)
			}
			if id := idOf(u.Claims[r.idClaim]); id != "" {
				here[r.idKey(id)] = strings.Clone(u.Username)
			}
			return nil
		})
		if err == nil {
			r.here = here
			return nil
		}
		wait, again := patience.next(time.Now(), n)
		if !again || !r.mayRetry(err) {
			return r.explained(ctx, err)
		}
		r.progress.waiting()
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
	}
}

// idOf returns an id as it is compared: 7 and "7" are one.
func idOf(claim json.RawMessage) string {
	var text string
	if json.Unmarshal(claim, &text) == nil {
		return text
	}
	if len(claim) > 0 && strings.IndexByte("-0123456789", claim[0]) >= 0 {
		return string(claim)
	}
	return ""
}

// hereAs returns why a row is refused whose id a user has who is here under another name; "": it is not.
func (r *run) hereAs(ctx context.Context, row usertable.Row) (reason string, err error) {
	if row.ID == "" {
		return "", nil
	}
	if r.here == nil {
		if err := r.loadIDs(ctx); err != nil {
			return "", err
		}
	}
	username, known := r.here[r.idKey(row.ID)]
	if name, err := password.CanonicalUsername(row.Username); !known || err != nil || name == username {
		return "", nil // a name that cannot be one is refused by the server
	}
	var holder api.User // of the name, which may be an alias
	if err := r.server.Call(ctx, api.ShowUser.At(row.Username), nil, &holder); err == nil && holder.Username == username {
		return "", nil
	}
	return fmt.Sprintf("the user %s has this id here already. If it is the same person under a new name, rename them first: `signet user rename %s %s`",
		username, cli.ShellQuote(username), cli.ShellQuote(row.Username)), nil
}

// explained words an error of the server that is not tried again.
func (r *run) explained(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	if r.explain != nil {
		return r.explain(err)
	}
	return err
}
