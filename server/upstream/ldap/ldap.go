package ldap

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/go-ldap/ldap/v3"

	"signet/keys/secret"
	"signet/server/outbound"
	"signet/server/upstream"
)

// Placeholder stands for the username in Filter and UserDN.
const Placeholder = "{username}"

// Config configures a Source. URL, TLS and either UserDN or Base and Filter are required.
type Config struct {
	secret.Hidden // BindPassword is not to be printed

	URL      string      // ldaps://HOST[:PORT] or ldap://HOST[:PORT]
	StartTLS bool        // with ldap: TLS before anything else
	TLS      *tls.Config // without a server name: it is the host of the URL
	Dialer   outbound.Dialer

	BindDN, BindPassword string // of the account that searches; empty: it searches anonymously
	Base                 string // of the search, which includes everything below it
	Filter               string // with Placeholder
	UserDN               string // with Placeholder: no search

	IDAttribute string  // that never changes and is never given to another entry
	Claims      []Claim // that users get
}

// Claim makes a claim of an attribute.
type Claim struct {
	Attribute, Name string
	List            bool // an array of all values; else the first one, as a string
}

// Source asks one directory.
type Source struct {
	cfg     Config
	address string
	host    string
	secure  bool // TLS from the first byte
}

// New returns a Source.
func New(cfg Config) (*Source, error) {
	u, err := url.Parse(cfg.URL)
	if err != nil || u.Hostname() == "" || u.Scheme != "ldaps" && u.Scheme != "ldap" {
		return nil, errors.New("the URL of the directory is not one of ldaps or ldap")
	}
	s := &Source{cfg: cfg, host: u.Hostname(), secure: u.Scheme == "ldaps"}
	port := u.Port()
	if port == "" {
		port = map[bool]string{true: "636", false: "389"}[s.secure]
	}
	s.address = net.JoinHostPort(s.host, port)
	if cfg.UserDN == "" {
		if _, err := ldap.CompileFilter(strings.ReplaceAll(cfg.Filter, Placeholder, "x")); err != nil {
			return nil, fmt.Errorf("the filter of the directory: %w", err)
		}
	} else if _, err := ldap.ParseDN(strings.ReplaceAll(cfg.UserDN, Placeholder, "x")); err != nil {
		return nil, fmt.Errorf("the DN of users: %w", err)
	}
	return s, nil
}

// Check implements upstream.Source.
func (s *Source) Check(ctx context.Context, username, password string) (upstream.Answer, error) {
	if password == "" {
		return upstream.Answer{Reason: "the password is empty"}, nil
	}
	conn, err := s.connect(ctx)
	if err != nil {
		return upstream.Answer{}, upstream.NoAnswer(err)
	}
	defer conn.Close()
	if s.cfg.UserDN != "" {
		return s.bindThenRead(conn, username, password)
	}
	return s.searchThenBind(conn, username, password)
}

// connect returns a connection with TLS, which ends with ctx.
func (s *Source) connect(ctx context.Context) (*ldap.Conn, error) {
	plain, err := s.cfg.Dialer.DialContext(ctx, "tcp", s.address)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { plain.Close() })
	raw := net.Conn(&limited{Conn: plain, left: maxRead, closed: stop})
	settings := s.cfg.TLS.Clone()
	if settings.ServerName == "" {
		settings.ServerName = s.host
	}
	if s.secure {
		encrypted := tls.Client(raw, settings)
		if err := encrypted.HandshakeContext(ctx); err != nil {
			raw.Close()
			return nil, err
		}
		raw = encrypted
	}
	conn := ldap.NewConn(raw, s.secure)
	if deadline, ok := ctx.Deadline(); ok {
		conn.SetTimeout(time.Until(deadline))
	}
	conn.Start()
	if s.cfg.StartTLS && !s.secure {
		if err := conn.StartTLS(settings); err != nil {
			conn.Close()
			return nil, fmt.Errorf("StartTLS: %w", err)
		}
	}
	return conn, nil
}

const maxRead = 1 << 20

// limited is a connection that reads no more than a bounded number of bytes.
type limited struct {
	net.Conn
	left   int64
	closed func() bool
}

// Read implements io.Reader.
func (l *limited) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, errors.New("the directory sends more than 1 MiB")
	}
	n, err := l.Conn.Read(p[:min(int64(len(p)), l.left)])
	l.left -= int64(n)
	return n, err
}

// Close implements io.Closer.
func (l *limited) Close() error {
	l.closed()
	return l.Conn.Close()
}

func (s *Source) searchThenBind(conn *ldap.Conn, username, password string) (upstream.Answer, error) {
	if s.cfg.BindDN != "" {
		if err := conn.Bind(s.cfg.BindDN, s.cfg.BindPassword); err != nil {
			return upstream.Answer{}, upstream.NoAnswer(fmt.Errorf("the directory refuses the account that searches: %w", err))
		}
	}
	filter := strings.ReplaceAll(s.cfg.Filter, Placeholder, ldap.EscapeFilter(username))
	found, err := s.search(conn, s.cfg.Base, ldap.ScopeWholeSubtree, filter)
	switch {
	case err != nil:
		return upstream.Answer{}, err
	case len(found) == 0:
		return upstream.Answer{Reason: "the directory has no such entry"}, nil
	case len(found) > 1:
		return upstream.Answer{}, upstream.BadAnswer("the filter finds more than one entry for a username")
	}
	if reason, err := bind(conn, found[0].DN, password); err != nil || reason != "" {
		return upstream.Answer{Reason: reason}, err
	}
	return s.answer(found[0])
}

func (s *Source) bindThenRead(conn *ldap.Conn, username, password string) (upstream.Answer, error) {
	dn := strings.ReplaceAll(s.cfg.UserDN, Placeholder, ldap.EscapeDN(username))
	if reason, err := bind(conn, dn, password); err != nil || reason != "" {
		return upstream.Answer{Reason: reason}, err
	}
	found, err := s.search(conn, dn, ldap.ScopeBaseObject, "(objectClass=*)")
	if err != nil {
		return upstream.Answer{}, err
	}
	if len(found) != 1 {
		return upstream.Answer{}, upstream.BadAnswer("the user cannot read the user's own entry")
	}
	return s.answer(found[0])
}

// search returns at most two entries.
func (s *Source) search(conn *ldap.Conn, base string, scope int, filter string) ([]*ldap.Entry, error) {
	attributes := []string{s.cfg.IDAttribute}
	for _, c := range s.cfg.Claims {
		attributes = append(attributes, c.Attribute)
	}
	result, err := conn.Search(ldap.NewSearchRequest(base, scope, ldap.NeverDerefAliases, 2, 0, false, filter, attributes, nil))
	switch {
	case ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded):
		return nil, upstream.BadAnswer("the filter finds more than one entry for a username")
	case ldap.IsErrorWithCode(err, ldap.LDAPResultReferral):
		return nil, upstream.BadAnswer("the directory refers to another server, which is not asked")
	case err != nil:
		return nil, upstream.NoAnswer(fmt.Errorf("searching the directory: %w", err))
	}
	return result.Entries, nil
}

// answer makes the answer of an entry whose password is right.
func (s *Source) answer(entry *ldap.Entry) (upstream.Answer, error) {
	id, err := identifier(entry, s.cfg.IDAttribute)
	if err != nil {
		return upstream.Answer{}, err
	}
	claims := map[string]json.RawMessage{}
	for _, c := range s.cfg.Claims {
		values := entry.GetEqualFoldAttributeValues(c.Attribute)
		if len(values) == 0 && !c.List {
			continue
		}
		if slices.ContainsFunc(values, func(v string) bool { return !utf8.ValidString(v) }) {
			return upstream.Answer{}, upstream.BadAnswer("the attribute %s is not text", c.Attribute)
		}
		var value any = slices.Sorted(slices.Values(values)) // as sets have no order, the claim is the same each time
		if len(values) == 0 {
			value = []string{}
		}
		if !c.List {
			value = values[0]
		}
		if claims[c.Name], err = json.Marshal(value); err != nil {
			return upstream.Answer{}, err
		}
	}
	return upstream.Answer{Match: true, ID: id, Claims: claims}, nil
}

// identifier returns the id of an entry. Binary values are written as their kind is usually read.
func identifier(entry *ldap.Entry, attribute string) (json.RawMessage, error) {
	raw := entry.GetEqualFoldRawAttributeValue(attribute)
	switch {
	case len(raw) == 0:
		return nil, upstream.BadAnswer("the entry has no %s that can be read", attribute)
	case strings.EqualFold(attribute, "objectGUID") && len(raw) == 16:
		// The first three groups are little-endian ([MS-DTYP] §2.3.4).
		return json.Marshal(fmt.Sprintf("%02x%02x%02x%02x-%02x%02x-%02x%02x-%x-%x",
			raw[3], raw[2], raw[1], raw[0], raw[5], raw[4], raw[7], raw[6], raw[8:10], raw[10:]))
	case !utf8.Valid(raw):
		return json.Marshal(fmt.Sprintf("%x", raw))
	}
	return json.Marshal(string(raw))
}
