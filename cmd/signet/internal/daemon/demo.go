package daemon

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
	"strings"
	"time"

	"signet/cmd/signet/internal/cli"
	"signet/server/clientauth"
	"signet/store"
)

const (
	demoUser         = "demo"
	demoClient       = "demo-app"
	demoPublicClient = "demo-spa"
)

var demoScopes = []string{"profile", "orders:read", "orders:write"}

// demoOrigins are the usual origins of browser apps under development.
var demoOrigins = []string{"http://127.0.0.1:8000", "http://localhost:8000", "http://127.0.0.1:3000", "http://localhost:3000",
	"http://127.0.0.1:5173", "http://localhost:5173"}

// demo is the output of `signet dev -o json`, and, without issuer and socket, the content of DIR/demo.json.
type demo struct {
	Issuer       string   `json:"issuer,omitempty"`
	AdminSocket  string   `json:"admin_socket,omitempty"`
	Username     string   `json:"username"`
	Password     string   `json:"password"`
	ClientID     string   `json:"client_id"`
	ClientSecret string   `json:"client_secret"`
	PublicClient string   `json:"public_client_id"`
	Scopes       []string `json:"scopes"`
}

// demo returns the demo's user and clients. The first start makes them. The file is written before the records, and every
// start adds missing records, so an interrupted start is completed by the next one.
func (srv *Daemon) demo(ctx context.Context, path string) (d demo, fresh bool, err error) {
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		fresh, d = true, newDemo()
		text, err := json.MarshalIndent(d, "", "  ")
		if err != nil {
			return demo{}, false, fmt.Errorf("demo: %w", err)
		}
		if err := cli.WriteNewFile(path, string(text)+"\n"); err != nil {
			return demo{}, false, err
		}
	case err != nil:
		return demo{}, false, fmt.Errorf("demo: %w", err)
	default:
		if err := json.Unmarshal(data, &d); err != nil {
			return demo{}, false, fmt.Errorf("demo: %s is not what `signet dev` wrote; delete the directory to begin anew: %w", path, err)
		}
	}
	return d, fresh, errors.Join(srv.demoClients(ctx, d), srv.demoUser(ctx, d))
}

func newDemo() demo {
	var secret [32]byte
	rand.Read(secret[:])
	return demo{
		Username: demoUser, Password: strings.ToLower(rand.Text()[:20]),
		ClientID: demoClient, ClientSecret: clientauth.SecretPrefix + base64.RawURLEncoding.EncodeToString(secret[:]),
		PublicClient: demoPublicClient, Scopes: demoScopes,
	}
}

func (srv *Daemon) demoClients(ctx context.Context, d demo) error {
	now := time.Now().UTC()
	sum := sha256.Sum256([]byte(d.ClientSecret))
	claims := []string{"preferred_username", "roles"}
	for _, client := range []store.Client{
		{ID: d.ClientID, Secrets: []store.Secret{{Hash: sum[:], CreatedAt: now}}, Introspect: true,
			AuthMethods: []string{"client_secret_basic", "client_secret_post"}, Grants: []string{"password", "refresh_token", "client_credentials"}},
		{ID: d.PublicClient, Public: true, AuthMethods: []string{"none"}, Grants: []string{"password", "refresh_token"}},
	} {
		client.Scopes, client.Claims, client.Origins, client.CreatedAt, client.UpdatedAt = d.Scopes, claims, demoOrigins, now, now
		if err := srv.store.CreateClient(ctx, client); err != nil && !errors.Is(err, store.ErrExists) {
			return fmt.Errorf("demo client %s: %w", client.ID, err)
		}
	}
	return nil
}

func (srv *Daemon) demoUser(ctx context.Context, d demo) error {
	_, err := srv.store.UserByName(ctx, d.Username)
	if err == nil || !errors.Is(err, store.ErrNotFound) {
		return err
	}
	hash, err := srv.passwords.Hash(ctx, d.Password)
	if err != nil {
		return fmt.Errorf("demo user: %w", err)
	}
	now := time.Now().UTC()
	user := store.User{Username: d.Username, PasswordHash: hash, CreatedAt: now, UpdatedAt: now,
		Claims: map[string]json.RawMessage{"roles": json.RawMessage(`["demo"]`)}}
	rand.Read(user.ID[:])
	if err := srv.store.CreateUser(ctx, user); err != nil && !errors.Is(err, store.ErrExists) {
		return fmt.Errorf("demo user: %w", err)
	}
	return nil
}
