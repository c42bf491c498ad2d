package clientauth

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"log/slog"
	"slices"
	"strings"

	"signet/server/edge"
	"signet/store"
)

// SecretPrefix lets secret scanners spot a client secret that leaked.
const SecretPrefix = "signet_cs_"

// NewSecret returns a client secret. It has 256 random bits, in letters that every encoding leaves as they are.
func NewSecret() string { return SecretPrefix + edge.RandomText(secretBytes) }

const secretBytes = 32

// minDistinct is how many different letters a secret must have. Of 43 random ones fewer than 16 differ about never.
const minDistinct = 16

// CheckSecret returns what is wrong with a secret that was made elsewhere, or "". Only a secret of as many random bits as
// those of NewSecret is stored, because it is hashed only once.
func CheckSecret(text string) string {
	encoded, ok := strings.CutPrefix(text, SecretPrefix)
	bits, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
	switch {
	case !ok || err != nil || len(bits) != secretBytes || strings.ContainsAny(encoded, "\r\n"):
		return "must be " + SecretPrefix + " and 32 random bytes in base64url without padding"
	case distinct(encoded) < minDistinct:
		return "is not random: it has the same few letters again and again"
	}
	return ""
}

func distinct(text string) int {
	seen := map[rune]bool{}
	for _, r := range text {
		seen[r] = true
	}
	return len(seen)
}

// noteSecretUse records the first use of a secret, so that a later rotation does not take it for one that was never
// deployed. It costs a write once in a secret's life. What fails is tried again at the next use.
func (a *Authenticator) noteSecretUse(ctx context.Context, client *store.Client, text string) *store.Client {
	if !slices.ContainsFunc(client.Secrets, func(secret store.Secret) bool { return secret.Unused }) {
		return client
	}
	return a.noteFirstUse(ctx, client, text)
}

func (a *Authenticator) noteFirstUse(ctx context.Context, client *store.Client, text string) *store.Client {
	sum := sha256.Sum256([]byte(text))
	fresh := func(c *store.Client) int {
		return slices.IndexFunc(c.Secrets, func(secret store.Secret) bool { return secret.Unused && bytes.Equal(secret.Hash, sum[:]) })
	}
	if fresh(client) < 0 {
		return client
	}
	if _, busy := a.firstUses.LoadOrStore(sum, nil); busy {
		return client
	}
	defer a.firstUses.Delete(sum)
	updated, err := a.cfg.Store.UpdateClient(ctx, client.ID, func(c *store.Client) error {
		if at := fresh(c); at >= 0 {
			c.Secrets[at].Unused = false
		}
		return nil
	})
	a.cfg.Cache.Drop(client.ID)
	if err != nil {
		a.cfg.Log.WarnContext(ctx, "noting the first use of a client secret", slog.String("client_id", client.ID), slog.Any("error", err))
		return client
	}
	return &updated
}
