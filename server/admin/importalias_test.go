package admin_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"signet/server"
	"signet/server/admin/api"
	"signet/server/servertest"
	"signet/store"
)

// TestImportAliases: a line gives its aliases to a new user, and with on_conflict=update to one who is there, who keeps the others. An
// alias that is another user's refuses the line, which then changes nothing.
func TestImportAliases(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	line := func(name, aliases string) string {
		return fmt.Sprintf(`{"username":%q,"aliases":[%s],"claims":{"n":%d}}`+"\n", name, aliases, len(aliases))
	}
	before := ""
	for _, step := range []struct {
		query, line, result, reason string
		aliases                     []string // of ann, afterwards
	}{
		{"", line("ann", `"Ann@Example.com"`), api.ImportCreated, "", []string{"ann@example.com"}},
		{"", line("ben", `"ben2"`), api.ImportCreated, "", []string{"ann@example.com"}},
		{"", line("cay", `"BEN"`), api.ImportRefused, `another user has the alias "ben"`, []string{"ann@example.com"}},
		{"dry_run=true", line("cay", `"BEN2"`), api.ImportRefused, `another user has the alias "ben2"`, []string{"ann@example.com"}},
		{"", line("ann", `"ann2"`), api.ImportRefused, "exists already", []string{"ann@example.com"}},
		{"on_conflict=skip", line("ann", `"ann2"`), api.ImportSkipped, "", []string{"ann@example.com"}},
		{"on_conflict=update&dry_run=true", line("ann", `"ann2"`), api.ImportUpdated, "", []string{"ann@example.com"}},
		{"on_conflict=update", line("ann", `"ann2","ann","Ann@example.COM"`), api.ImportUpdated, "", []string{"ann@example.com", "ann2"}},
		{"on_conflict=update", line("ann", `"ann2","ann","Ann@example.COM"`), api.ImportUnchanged, "", []string{"ann@example.com", "ann2"}},
		{"on_conflict=update", line("ann", `"ann3","ben"`), api.ImportRefused, `another user has the alias "ben"`, []string{"ann@example.com", "ann2"}},
		{"on_conflict=update&dry_run=true", line("ann", `"ben2"`), api.ImportRefused, `another user has the alias "ben2"`, []string{"ann@example.com", "ann2"}},
		{"on_conflict=update", line("ann", `"a1","a2","a3","a4","a5","a6","a7"`), api.ImportRefused, "at most 8 aliases", []string{"ann@example.com", "ann2"}},
		{"on_conflict=update", `{"username":"ann2","aliases":["ann"]}`, api.ImportUnchanged, "", []string{"ann@example.com", "ann2"}},
	} {
		answers, _ := importLines(t, admin, step.query, step.line)
		for _, a := range answers {
			if a.Report == nil && (a.Result != step.result || !strings.Contains(a.Reason, step.reason)) {
				t.Errorf("?%s %s: got %+v, want %s %q", step.query, step.line, a, step.result, step.reason)
			}
		}
		before = check(t, s, step.result, step.aliases, before)
	}
}

// check compares ann's aliases. A line that is refused, skipped or tried changes none of her claims, which before has as text.
func check(t *testing.T, s *servertest.Server, result string, aliases []string, before string) (after string) {
	t.Helper()
	ann := userNamed(t, s, "ann")
	after = string(ann.Claims["n"])
	if !slices.Equal(ann.Aliases, aliases) || (result == api.ImportRefused || result == api.ImportSkipped) && after != before {
		t.Errorf("%s: ann has %q and the claim %s, want %q and %s", result, ann.Aliases, after, aliases, before)
	}
	return after
}

// TestTwoUsersForOneAlias: of two users who are made with one alias at the same time one is, and the other's answer names the alias.
func TestTwoUsersForOneAlias(t *testing.T) {
	t.Parallel()
	_, admin := servertest.NewAdmin(t, nil)
	var answers [4]servertest.Answer
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() {
			answers[i] = admin.CallJSON(t, "POST", "/v1/users", fmt.Sprintf(`{"username":"user%d","aliases":["shared@example.com"]}`, i)).Do()
		})
	}
	wg.Wait()
	made := 0
	for _, a := range answers {
		if a.Status == 201 {
			made++
		} else if a.Status != 409 || a.Str("error") != "exists" || !strings.Contains(a.Str("message"), `another user has the alias "shared@example.com"`) {
			t.Errorf("got %d %s", a.Status, a.Raw)
		}
	}
	if made != 1 {
		t.Errorf("%d users were made, want 1", made)
	}
}

// brokenOff is a store whose first creation of each user breaks off between the record and the name, so that the id is taken.
type brokenOff struct {
	store.Store
	mu    sync.Mutex
	taken map[store.UserID]bool
	names map[string]bool
}

func (b *brokenOff) CreateUser(ctx context.Context, u store.User) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.taken[u.ID]:
		return store.ErrExists
	case !b.names[u.Username]:
		b.taken[u.ID], b.names[u.Username] = true, true
		return fmt.Errorf("broken off: %w", store.ErrUnavailable)
	}
	return b.Store.CreateUser(ctx, u)
}

// TestImportAfterABrokenCreation: a line whose user was made by half, when the store went away, is not refused when it is back.
func TestImportAfterABrokenCreation(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, func(c *server.Config) {
		c.Store = &brokenOff{Store: c.Store, taken: map[store.UserID]bool{}, names: map[string]bool{}}
	})
	answers, last := importLines(t, admin, "", `{"username":"ann"}`)
	if last.Report == nil || answers["ann"].Result != api.ImportCreated {
		t.Errorf("got %+v, %+v", answers, last)
	}
	if ann := userNamed(t, s, "ann"); ann.ID.String() != answers["ann"].Subject {
		t.Errorf("got %s, and the answer has %s", ann.ID, answers["ann"].Subject)
	}
}
