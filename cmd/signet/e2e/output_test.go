package e2e

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"signet/keys/rotation"
	"signet/store/recovery"
)

// What the program exits with.
const (
	exitDone   = 0
	exitFailed = 1
	exitMisuse = 2
)

// markName is the file in the data directory that remembers the newest keyring over a restart.
const markName = "keyring.mark"

// assertionType names a JWT as client assertion (RFC 7523 §2.2).
const assertionType = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

// The types below are what commands print with -o json, as far as these tests read it. They are written down a second time
// on purpose: programs of other people read the same JSON.

// demo is what `signet dev -o json` prints.
type demo struct {
	Issuer       string `json:"issuer"`
	AdminSocket  string `json:"admin_socket"`
	Username     string `json:"username"`
	Password     string `json:"password"`
	ClientID     string `json:"client_id"`
	ClientSecret string `json:"client_secret"`
	PublicClient string `json:"public_client_id"`
}

type clientRecord struct {
	ID          string          `json:"client_id"`
	Secret      string          `json:"client_secret"`
	AuthMethods []string        `json:"auth_methods"`
	JWKS        json.RawMessage `json:"jwks"`
}

// kid returns the ID of the client's only key.
func (c clientRecord) kid(t *testing.T) string {
	t.Helper()
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(c.JWKS, &set); err != nil || len(set.Keys) != 1 {
		t.Fatalf("%s has the keys %s, want one: %v", c.ID, c.JWKS, err)
	}
	return set.Keys[0].KeyID
}

type sessionRecord struct {
	ID         string `json:"sid"`
	ClientID   string `json:"client_id"`
	Generation uint32 `json:"generation"`
}

// keyring is the output of `signet keys list`.
type keyring struct {
	Version  uint64          `json:"version"`
	Keys     []keyRecord     `json:"keys"`
	Replicas []replicaRecord `json:"replicas"`
}

type keyRecord struct {
	ID          string    `json:"kid"`
	State       string    `json:"state"`
	Held        string    `json:"held"`
	CreatedAt   time.Time `json:"created_at"`
	PublishedAt time.Time `json:"published_at"`
	ActivatesAt time.Time `json:"activates_at"`
	RetiresAt   time.Time `json:"retires_at"`
	RemovedAt   time.Time `json:"removed_at"`
	Next        string    `json:"next"`
	NextAt      time.Time `json:"next_at"`
}

type replicaRecord struct {
	Replica string `json:"replica"`
	Version uint64 `json:"keyring_version"`
}

// revoked is the output of `signet keys revoke`.
type revoked struct{ following }

// rewrapped is the output of `signet keys rewrap`.
type rewrapped struct {
	following
	Changed     bool      `json:"changed"`
	NeededUntil time.Time `json:"needed_until"`
}

// following is which replicas have a change.
type following struct {
	Have   []string `json:"replicas_with_it"`
	Behind []string `json:"replicas_behind"`
}

// eventPage is the output of `signet audit list`.
type eventPage struct {
	Events []eventRecord `json:"events"`
}

type eventRecord struct {
	Type    string            `json:"type"`
	Outcome string            `json:"outcome"`
	Detail  map[string]string `json:"detail"`
}

// drillReport is the output of `signet drill`.
type drillReport struct {
	OK           bool            `json:"ok"`
	Verdict      string          `json:"verdict"`
	Rounds       int             `json:"rounds"`
	Rotations    []drillRotation `json:"rotations"`
	CacheControl []string        `json:"cache_control"`
	Failures     []drillFailure  `json:"failures"`
}

type drillRotation struct {
	OldKey      string    `json:"old_kid"`
	NewKey      string    `json:"new_kid"`
	ActivatesAt time.Time `json:"activates_at"`
	SignedAt    time.Time `json:"signed_at"`
	VisibleFor  float64   `json:"visible_before_it_signed_seconds"`
}

type drillFailure struct {
	At     time.Time `json:"at"`
	Times  int       `json:"times"`
	Check  string    `json:"check"`
	Detail string    `json:"detail"`
}

// restoreReport is the output of `signet restore`.
type restoreReport struct {
	AsOf       time.Time `json:"as_of"`
	Rehearsal  bool      `json:"rehearsal"`
	LeftOut    int64     `json:"sessions_left_out"`
	MovedAside string    `json:"moved_aside"`
	Counts     struct {
		Users    int64 `json:"users"`
		Sessions int64 `json:"sessions"`
	} `json:"counts"`
	Knew         []string           `json:"known_from"`
	Unread       string             `json:"unreadable"`
	Gaps         []string           `json:"gaps"`
	NewerKeyring bool               `json:"newer_keyring"`
	Keyring      rotation.Recovery  `json:"keyring"`
	Kept         recovery.Preserved `json:"kept"`
	Lost         recovery.Lost      `json:"lost"`
}

// socketClient returns an HTTP client for the admin socket, which opens a connection for each request.
func (p *process) socketClient() *http.Client {
	return &http.Client{Transport: &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", p.demo.AdminSocket)
	}}}
}

// jwtPart decodes the header or the claims of a token, without checking it.
func jwtPart(t testing.TB, token string, part int, into any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatalf("a token of %d parts, want 3", len(parts))
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[part])
	if err == nil {
		err = json.Unmarshal(raw, into)
	}
	if err != nil {
		t.Fatal(err)
	}
}

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
