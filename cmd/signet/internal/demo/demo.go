// Package demo makes the user and the clients of `signet dev`, and prints how to try them.
package demo

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"

	"signet/cmd/signet/internal/cli"
	"signet/server/account"
	"signet/server/clientauth"
	"signet/server/password"
	"signet/server/syntax"
	"signet/store"
)

const (
	username = "demo"
	client   = "demo-app"

	// PublicClient is the client of a request that names none.
	PublicClient = "demo-spa"

	callbackPath = "/callback"
)

var scopes = []string{"profile", "orders:read", "orders:write"}

// origins are the usual origins of browser apps under development.
var origins = []string{"http://127.0.0.1:8000", "http://localhost:8000", "http://127.0.0.1:3000", "http://localhost:3000",
	"http://127.0.0.1:5173", "http://localhost:5173"}

// redirectURIs are the usual ones of such apps. Those with the loopback address have any port (RFC 8252 §7.3).
func redirectURIs() []string {
	all := []string{"http://127.0.0.1/", "http://127.0.0.1" + callbackPath}
	for _, origin := range origins {
		if strings.HasPrefix(origin, "http://localhost:") {
			all = append(all, origin+"/", origin+callbackPath)
		}
	}
	return all
}

func postLogoutURIs() []string {
	var all []string
	for _, origin := range origins {
		all = append(all, origin+"/")
	}
	return all
}

// Demo is the output of `signet dev -o json`, and, without issuer and socket, the content of DIR/demo.json.
type Demo struct {
	Issuer       string   `json:"issuer,omitempty"`
	AdminSocket  string   `json:"admin_socket,omitempty"`
	Username     string   `json:"username"`
	Password     string   `json:"password"`
	ClientID     string   `json:"client_id"`
	ClientSecret string   `json:"client_secret"`
	PublicClient string   `json:"public_client_id"`
	Scopes       []string `json:"scopes"`
}

// Open returns the demo's user and clients. The first start makes them, and is fresh. The file at path is written before
// the records, and every start adds missing records, so an interrupted start is completed by the next one.
func Open(ctx context.Context, path string, s store.Store, passwords *password.Pool) (d Demo, fresh bool, err error) {
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		fresh, d = true, newDemo()
		text, err := json.MarshalIndent(d, "", "  ")
		if err != nil {
			return Demo{}, false, fmt.Errorf("demo: %w", err)
		}
		if err := cli.WriteNewFile(path, string(text)+"\n"); err != nil {
			return Demo{}, false, err
		}
	case err != nil:
		return Demo{}, false, fmt.Errorf("demo: %w", err)
	default:
		if err := json.Unmarshal(data, &d); err != nil {
			return Demo{}, false, fmt.Errorf("demo: %s is not what `signet dev` wrote; delete the directory to begin anew: %w", path, err)
		}
	}
	return d, fresh, errors.Join(d.addClients(ctx, s), d.addUser(ctx, s, passwords))
}

func newDemo() Demo {
	var secret [32]byte
	rand.Read(secret[:])
	return Demo{
		Username: username, Password: strings.ToLower(rand.Text()[:20]),
		ClientID: client, ClientSecret: clientauth.SecretPrefix + base64.RawURLEncoding.EncodeToString(secret[:]),
		PublicClient: PublicClient, Scopes: scopes,
	}
}

func (d Demo) addClients(ctx context.Context, s store.Clients) error {
	now := time.Now().UTC()
	sum := sha256.Sum256([]byte(d.ClientSecret))
	claims := []string{"preferred_username", "roles"}
	public := store.Client{ID: d.PublicClient, Public: true, AuthMethods: []string{"none"}, Grants: []string{"password", "refresh_token"}, Scopes: d.Scopes}
	allowCodes(&public)
	for _, client := range []store.Client{
		{ID: d.ClientID, Secrets: []store.Secret{{Hash: sum[:], CreatedAt: now}}, Introspect: true, Scopes: d.Scopes,
			AuthMethods: []string{"client_secret_basic", "client_secret_post"}, Grants: []string{"password", "refresh_token", "client_credentials"}},
		public,
	} {
		client.Claims, client.Origins, client.CreatedAt, client.UpdatedAt = claims, origins, now, now
		if err := s.CreateClient(ctx, client); err != nil && !errors.Is(err, store.ErrExists) {
			return fmt.Errorf("demo client %s: %w", client.ID, err)
		}
	}
	return d.updatePublicClient(ctx, s, now)
}

// updatePublicClient gives codes to the public client of an earlier version, which had the password grant alone.
func (d Demo) updatePublicClient(ctx context.Context, s store.Clients, now time.Time) error {
	client, err := s.Client(ctx, d.PublicClient)
	if err == nil && !slices.Contains(client.Grants, syntax.GrantAuthorizationCode) {
		_, err = s.UpdateClient(ctx, d.PublicClient, func(c *store.Client) error {
			allowCodes(c)
			c.UpdatedAt = now
			return nil
		})
	}
	if err != nil {
		return fmt.Errorf("demo client %s: %w", d.PublicClient, err)
	}
	return nil
}

// allowCodes lets a client use the sign-in page, and OpenID Connect.
func allowCodes(c *store.Client) {
	c.Grants = append([]string{syntax.GrantAuthorizationCode}, c.Grants...)
	c.Scopes = append([]string{account.ScopeOpenID}, c.Scopes...)
	c.RedirectURIs, c.PostLogoutURIs = redirectURIs(), postLogoutURIs()
}

func (d Demo) addUser(ctx context.Context, s store.Users, passwords *password.Pool) error {
	_, err := s.UserByName(ctx, d.Username)
	if err == nil || !errors.Is(err, store.ErrNotFound) {
		return err
	}
	hash, err := passwords.Hash(ctx, d.Password)
	if err != nil {
		return fmt.Errorf("demo user: %w", err)
	}
	now := time.Now().UTC()
	user := store.User{Username: d.Username, PasswordHash: hash, CreatedAt: now, UpdatedAt: now,
		Claims: map[string]json.RawMessage{"roles": json.RawMessage(`["demo"]`)}}
	rand.Read(user.ID[:])
	if err := s.CreateUser(ctx, user); err != nil && !errors.Is(err, store.ErrExists) {
		return fmt.Errorf("demo user: %w", err)
	}
	return nil
}
