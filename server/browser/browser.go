package browser

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"time"

	"signet/server/edge"
	"signet/server/sealed"
	"signet/server/syntax"
	"signet/store"
)

// Config configures Sessions. All fields are required.
type Config struct {
	Issuer string
	Keys   [][32]byte // of the master keys, in their order; they seal cookies
	InUse  func() int // the index of the one that seals
	Store  Store
	Now    func() time.Time

	Clients Clients
	// Ended returns why a session that is on record is over, or "". See token.Checker.
	Ended func(session store.Session, user *store.User, client *store.Client, now time.Time) string
}

// Store is what Sessions need of the store.
type Store interface {
	TokenState(ctx context.Context, ref store.TokenRef) (store.TokenState, error)
	RevokeSession(ctx context.Context, user store.UserID, id store.SessionID) (existed bool, err error)
	CreateClient(ctx context.Context, c store.Client) error
}

// Clients finds clients, as clientauth.Cache does.
type Clients interface {
	Get(ctx context.Context, id string) (*store.Client, error)
}

// Sessions finds and sets the sessions of browsers. It is safe for concurrent use.
type Sessions struct {
	cfg         Config
	box         *sealed.Box
	sessionName string // of the cookies
	browserName string
	secure      bool
	origins     *http.CrossOriginProtection
}

// Client returns the client of the sessions of browsers, which must not be changed. It can do nothing, and has a record for
// its epoch alone: to sign everybody out raises that of every client. The first who signs in makes the record.
func (s *Sessions) Client(ctx context.Context) (*store.Client, error) {
	c, err := s.cfg.Clients.Get(ctx, syntax.BrowserClient)
	if !errors.Is(err, store.ErrNotFound) {
		return c, err
	}
	now := store.Millis(s.cfg.Now())
	err = s.cfg.Store.CreateClient(ctx, store.Client{ID: syntax.BrowserClient, CreatedAt: now, UpdatedAt: now})
	if err != nil && !errors.Is(err, store.ErrExists) {
		return nil, err
	}
	return s.cfg.Clients.Get(ctx, syntax.BrowserClient)
}

// SignedIn is the user who is signed in with a browser.
type SignedIn struct {
	User     store.User    // of this moment
	Session  store.Session // the browser's
	AuthTime time.Time     // when the user last signed in with the browser, in whole milliseconds
	AMR      []string      // how (RFC 8176)
	ACR      string
}

// maxCookie is how long a cookie may be; browsers keep no longer ones.
const maxCookie = 4096

// New returns Sessions.
func New(cfg Config) (*Sessions, error) {
	issuer, err := url.Parse(cfg.Issuer)
	if err != nil {
		return nil, err
	}
	box, err := sealed.New(cfg.Keys, cfg.InUse, "browser session", "", maxCookie)
	if err != nil {
		return nil, err
	}
	cfg.Keys = nil // they are not to be printed
	s := &Sessions{cfg: cfg, box: box, secure: issuer.Scheme == "https", origins: http.NewCrossOriginProtection()}
	// A proxy may have changed the Host header, with which the origin is compared.
	if err := s.origins.AddTrustedOrigin(issuer.Scheme + "://" + issuer.Host); err != nil {
		return nil, err
	}
	prefix, suffix := "__Host-signet-", ""
	if !s.secure {
		prefix = "signet-"
	}
	if !s.secure || strings.Trim(issuer.Path, "/") != "" { // other issuers may have the host: cookies do not distinguish paths and ports
		sum := sha256.Sum256([]byte(cfg.Issuer))
		suffix = "-" + hex.EncodeToString(sum[:4])
	}
	s.sessionName, s.browserName = prefix+"session"+suffix, prefix+"browser"+suffix
	return s, nil
}

// CheckOrigin returns why a form was not sent by a page of this server.
func (s *Sessions) CheckOrigin(r *edge.Request) error { return s.origins.Check(r.Request) }

// content is the content of the cookie of a session.
type content struct {
	User     store.UserID    `json:"u"`
	Session  store.SessionID `json:"s"`
	AuthTime int64           `json:"t"` // in milliseconds since 1970
	AMR      []string        `json:"m,omitempty"`
	ACR      string          `json:"c,omitempty"`
}

// Current returns the user who is signed in with the browser of a request; nil: none. Without a cookie the store is not asked. The
// error is one of the store.
func (s *Sessions) Current(r *edge.Request) (*SignedIn, error) {
	c, ok := s.read(r)
	if !ok {
		return nil, nil
	}
	state, err := s.cfg.Store.TokenState(r.Context(), store.TokenRef{UserID: c.User, SessionID: c.Session})
	switch {
	case err != nil:
		return nil, err
	case !state.Live, state.Session.ClientID != syntax.BrowserClient:
		return nil, nil
	}
	client, err := s.cfg.Clients.Get(r.Context(), syntax.BrowserClient)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return nil, nil
	case err != nil:
		return nil, err
	case s.cfg.Ended(state.Session, &state.User, client, s.cfg.Now()) != "":
		return nil, nil
	}
	return &SignedIn{User: state.User, Session: state.Session, AuthTime: time.UnixMilli(c.AuthTime).UTC(), AMR: c.AMR, ACR: c.ACR}, nil
}

func (s *Sessions) read(r *edge.Request) (c content, ok bool) {
	text := cookie(r.Request, s.sessionName)
	return c, text != "" && s.box.OpenJSON(text, "", &c)
}

// cookie returns the value of a cookie. Of two with one name it is not known which one is ours, so neither counts.
func cookie(r *http.Request, name string) string {
	if all := r.CookiesNamed(name); len(all) == 1 {
		return all[0].Value
	}
	return ""
}

// Set adds to h the cookie with which the browser stays signed in.
func (s *Sessions) Set(h http.Header, in SignedIn) {
	c := content{in.User.ID, in.Session.ID, in.AuthTime.UnixMilli(), in.AMR, in.ACR}
	h.Add("Set-Cookie", s.cookie(s.sessionName, s.box.SealJSON(c, "")).String())
}

// Clear adds to h what makes the browser forget its session. The caller ends the session.
func (s *Sessions) Clear(h http.Header) {
	c := s.cookie(s.sessionName, "")
	c.MaxAge = -1
	h.Add("Set-Cookie", c.String())
}

// Name returns the random name of the browser of a request, or "" where it has sent none.
func (s *Sessions) Name(r *edge.Request) string {
	name := cookie(r.Request, s.browserName)
	if len(name) != nameLength {
		return ""
	}
	return name
}

const nameLength = 22 // of 128 bits in base64url

// SetName returns the random name of the browser of a request. Where it has none it gets one, by a cookie that is added to h.
func (s *Sessions) SetName(r *edge.Request, h http.Header) string {
	if name := s.Name(r); name != "" {
		return name
	}
	var b [16]byte
	rand.Read(b[:])
	name := base64.RawURLEncoding.EncodeToString(b[:])
	h.Add("Set-Cookie", s.cookie(s.browserName, name).String())
	return name
}

func (s *Sessions) cookie(name, value string) *http.Cookie {
	return &http.Cookie{Name: name, Value: value, Path: "/", Secure: s.secure, HttpOnly: true, SameSite: http.SameSiteLaxMode}
}

// Replace takes over a session that has just begun in the browser of a request, and returns what the browser keeps. Where the
// user was signed in already, the earlier session goes on, with those that began from it, and the new one ends. One browser has
// one user: the session of another user ends. before is the user who was signed in until now; nil: none.
func (s *Sessions) Replace(r *edge.Request, before *SignedIn, now SignedIn) (SignedIn, error) {
	if before == nil {
		return now, nil
	}
	over := before.Session
	if before.User.ID == now.User.ID {
		over = now.Session
		now.Session = before.Session
	}
	if _, err := s.cfg.Store.RevokeSession(r.Context(), over.UserID, over.ID); err != nil {
		return SignedIn{}, err
	}
	return now, nil
}
