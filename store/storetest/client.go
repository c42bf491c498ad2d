package storetest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"signet/store"
)

func fullClient(id string) store.Client {
	return store.Client{
		ID:             id,
		Secrets:        []store.Secret{{Hash: []byte{0, 1, 255}, CreatedAt: t0}},
		AuthMethods:    []string{"client_secret_basic", "private_key_jwt"},
		JWKS:           json.RawMessage(`{"keys":[{"kty":"OKP","kid":"one","crv":"Ed25519","x":"AAAA"}]}`),
		Grants:         []string{"password", "refresh_token"},
		Scopes:         []string{"read", "write"},
		Audiences:      []string{"https://api.example.com"},
		Origins:        []string{"https://app.example.com"},
		Claims:         []string{"roles"},
		Introspect:     true,
		IntrospectFor:  []string{"https://api.example"},
		Alg:            "ES256",
		AccessTokenTTL: 7 * time.Minute,
		Disabled:       true,

		RedirectURIs:         []string{"https://app.example.com/cb", "http://127.0.0.1/cb"},
		PostLogoutURIs:       []string{"https://app.example.com/"},
		BackchannelLogoutURI: "https://app.example.com/logout",
		RequirePAR:           true,

		NotBefore: t0.Add(-time.Hour),
		CreatedAt: t0,
		UpdatedAt: t0.Add(time.Second),
	}
}

func testClients(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	_, err := s.Client(ctx, "app")
	wantError(t, "Client before it is created", err, store.ErrNotFound)
	wantError(t, "DeleteClient before it is created", s.DeleteClient(ctx, "app", nil), store.ErrNotFound)

	want := fullClient("app")
	noError(t, "CreateClient", s.CreateClient(ctx, want))
	got, err := s.Client(ctx, "app")
	noError(t, "Client", err)
	equal(t, "Client", got, want)

	other := store.Client{ID: "app", Grants: []string{"client_credentials"}}
	wantError(t, "CreateClient of a taken id", s.CreateClient(ctx, other), store.ErrExists)
	got, err = s.Client(ctx, "app")
	noError(t, "Client", err)
	equal(t, "Client after a refused creation", got, want)

	fine := fullClient("fine")
	fine.CreatedAt = t0.Add(999_999 * time.Nanosecond).In(time.FixedZone("", 3600))
	noError(t, "CreateClient", s.CreateClient(ctx, fine))
	got, err = s.Client(ctx, "fine")
	noError(t, "Client", err)
	equal(t, "CreatedAt with nanoseconds and a zone", got.CreatedAt, t0)

	refusal, checks := errors.New("changed"), 0
	err = s.DeleteClient(ctx, "app", func(c store.Client) error {
		if checks++; c.Disabled == want.Disabled { // another change comes between the check and the deletion
			_, err := s.UpdateClient(ctx, "app", func(c *store.Client) error { c.Disabled = !want.Disabled; return nil })
			return err
		}
		return refusal
	})
	if !errors.Is(err, refusal) || checks != 2 || getClient(t, s, "app").Disabled == want.Disabled {
		t.Errorf("DeleteClient of a client that changes: got %v after %d checks, want the error of the second check as it is", err, checks)
	}
	noError(t, "DeleteClient", s.DeleteClient(ctx, "app", nil))
	_, err = s.Client(ctx, "app")
	wantError(t, "Client after it is deleted", err, store.ErrNotFound)
	noError(t, "CreateClient of a freed id", s.CreateClient(ctx, want))
	if err := s.CreateClient(ctx, store.Client{}); err == nil {
		t.Error("CreateClient without an id: got no error")
	}
}

func testClientUpdates(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	_, err := s.UpdateClient(ctx, "app", func(*store.Client) error { return nil })
	wantError(t, "UpdateClient of an unknown client", err, store.ErrNotFound)
	noError(t, "CreateClient", s.CreateClient(ctx, fullClient("app")))

	refusal := errors.New("not like this")
	_, err = s.UpdateClient(ctx, "app", func(c *store.Client) error {
		c.Scopes[0], c.Disabled = "changed", false
		return refusal
	})
	if !errors.Is(err, refusal) {
		t.Errorf("UpdateClient whose function refuses: got %v, want its own error as it is", err)
	}
	got := getClient(t, s, "app")
	equal(t, "Client after a refused update", got, fullClient("app"))

	want := fullClient("app")
	want.Scopes, want.NotBefore = []string{"all"}, t0.Add(time.Minute)
	got, err = s.UpdateClient(ctx, "app", func(c *store.Client) error {
		c.ID, c.Scopes, c.NotBefore = "renamed", []string{"all"}, t0.Add(time.Minute)
		return nil
	})
	noError(t, "UpdateClient", err)
	if got.Revision > 0 { // not in format 1
		want.Revision = 1
	}
	equal(t, "UpdateClient, which keeps the id", got, want)
	equal(t, "Client after the update", getClient(t, s, "app"), want)

	var wg sync.WaitGroup
	for i := range 16 {
		wg.Go(func() {
			_, err := s.UpdateClient(ctx, "app", func(c *store.Client) error {
				c.Origins = append(c.Origins, fmt.Sprint(i))
				return nil
			})
			noErrorf(t, "UpdateClient", err)
		})
	}
	wg.Wait()
	got = getClient(t, s, "app")
	equal(t, "origins after 16 concurrent updates of one more", len(got.Origins), 17)
}

func testClientPaging(t *testing.T, b Backend) {
	for _, id := range []string{"b", "a", "c2", "c", "d"} {
		noError(t, "CreateClient", b.Store.CreateClient(context.Background(), store.Client{ID: id, Grants: []string{"password"}}))
	}
	testPages(t, b.Store.ListClients, func(c store.Client) string { return c.ID }, []page{
		{"", 10, []string{"a", "b", "c", "c2", "d"}},
		{"", 2, []string{"a", "b"}},
		{"b", 2, []string{"c", "c2"}},
		{"bb", 1, []string{"c"}},
		{"d", 5, nil},
		{"", 0, nil},
	})
}

// page is what a list has after a name, limit records at most.
type page struct {
	after string
	limit int
	want  []string
}

func testPages[T any](t *testing.T, list func(ctx context.Context, after string, limit int) ([]T, error), name func(T) string, pages []page) {
	for _, p := range pages {
		var got []string
		for _, r := range must[[]T](t, "list")(list(context.Background(), p.after, p.limit)) {
			got = append(got, name(r))
		}
		equal(t, fmt.Sprintf("after %q, limit %d", p.after, p.limit), got, p.want)
	}
}

func testClientsVersion(t *testing.T, b Backend) {
	ctx, s := context.Background(), b.Store
	version := func() string {
		t.Helper()
		return must[string](t, "ClientsVersion")(s.ClientsVersion(ctx))
	}
	seen := []string{version()}
	equal(t, "asked again", version(), seen[0])
	noError(t, "CreateClient", s.CreateClient(ctx, store.Client{ID: "app"}))
	seen = append(seen, version())
	_, err := s.UpdateClient(ctx, "app", func(c *store.Client) error { c.Disabled = true; return nil })
	noError(t, "UpdateClient", err)
	seen = append(seen, version())
	noError(t, "DeleteClient", s.DeleteClient(ctx, "app", nil))
	seen = append(seen, version())
	for i, v := range seen {
		if slices.Contains(seen[:i], v) {
			t.Errorf("the version was %q twice: %q", v, seen)
		}
	}
	equal(t, "with nothing changed", version(), seen[len(seen)-1])
}

// noErrorf is noError for goroutines, which must not end the test themselves.
func noErrorf(t testing.TB, what string, err error) {
	t.Helper()
	if err != nil {
		t.Errorf("%s: got error %q, want none", what, err)
	}
}
