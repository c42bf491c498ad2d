package install

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"

	"signet/config"
	"signet/server/outbound"
	"signet/server/upstream"
	"signet/server/upstream/https"
	"signet/server/upstream/ldap"
)

const (
	upstreamSecretVariable = "SIGNET_USERS_UPSTREAM_SECRET"
	bindPasswordVariable   = "SIGNET_USERS_UPSTREAM_BIND_PASSWORD"
)

// minUpstreamSecret is the shortest secret, in bytes, that signs calls: it can be guessed from one signed call.
const minUpstreamSecret = 16

// Upstream returns the settings of the upstream, the zero ones if none is configured. It reads the files that the
// configuration names, and calls nothing.
func Upstream(cfg config.Config, getenv func(string) string) (upstream.Settings, error) {
	u := cfg.Users.Upstream
	if u.URL == "" {
		return upstream.Settings{}, nil
	}
	at, err := url.Parse(u.URL)
	if err != nil {
		return upstream.Settings{}, errors.New("users.upstream.url: it is not a URL")
	}
	settings := upstream.Settings{Stay: u.Mode == config.ModeStay, IDClaim: u.IDClaim, Timeout: u.Timeout, Concurrency: u.Concurrency}
	dialer := outbound.Dialer{Networks: append(namedByHost(at.Hostname()), u.Networks...), Setting: "users.upstream.networks"}
	if u.IsDirectory() {
		settings.Kind = "ldap"
		settings.Source, err = directory(u, dialer, getenv)
	} else {
		settings.Kind = "https"
		settings.Source, err = website(u, dialer, getenv)
	}
	if err != nil {
		return upstream.Settings{}, err
	}
	return settings, nil
}

// namedByHost returns the addresses that the host of a URL names by itself: its own, or those of this machine.
func namedByHost(host string) []netip.Prefix {
	if host == "localhost" {
		return []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		addr = addr.WithZone("").Unmap()
		return []netip.Prefix{netip.PrefixFrom(addr, addr.BitLen())}
	}
	return nil
}

func website(u config.Upstream, dialer outbound.Dialer, getenv func(string) string) (upstream.Source, error) {
	settings, err := clientTLS("users.upstream", u.CA, u.Cert, u.Key, "")
	if err != nil {
		return nil, err
	}
	secret, err := secretText("users.upstream.secret_file", u.SecretFile, upstreamSecretVariable, getenv)
	switch {
	case err != nil:
		return nil, err
	case secret == "" && u.Cert == "":
		return nil, errors.New("users.upstream: calls are not signed, so the other system cannot know who asks; set users.upstream.secret_file or " +
			upstreamSecretVariable + ", or users.upstream.cert and users.upstream.key")
	case secret != "" && len(secret) < minUpstreamSecret:
		return nil, fmt.Errorf("users.upstream.secret_file: the secret has %d characters; make one of at least %d, such as with `openssl rand -hex 32`",
			len(secret), minUpstreamSecret)
	}
	cfg := https.Config{URL: u.URL, TLS: settings, Dialer: dialer}
	if secret != "" {
		cfg.Secret = []byte(secret)
	}
	source, err := https.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("users.upstream: %w", err)
	}
	return source, nil
}

func directory(u config.Upstream, dialer outbound.Dialer, getenv func(string) string) (upstream.Source, error) {
	d := u.LDAP
	settings, err := clientTLS("users.upstream", u.CA, u.Cert, u.Key, "")
	if err != nil {
		return nil, err
	}
	cfg := ldap.Config{URL: u.URL, StartTLS: !d.Plaintext, TLS: settings, Dialer: dialer, BindDN: d.BindDN, Base: d.Base, Filter: d.Filter, UserDN: d.UserDN,
		IDAttribute: d.IDAttribute}
	if d.BindDN != "" {
		cfg.BindPassword, err = secretText("users.upstream.ldap.password_file", d.PasswordFile, bindPasswordVariable, getenv)
		if err == nil && cfg.BindPassword == "" {
			err = errors.New("users.upstream.ldap.bind_dn: its account has no password; set users.upstream.ldap.password_file or " + bindPasswordVariable)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, text := range d.Claims {
		attribute, name, _ := strings.Cut(text, "=")
		name, list := strings.CutSuffix(name, "[]")
		cfg.Claims = append(cfg.Claims, ldap.Claim{Attribute: attribute, Name: name, List: list})
	}
	source, err := ldap.New(cfg)
	if err != nil {
		return nil, fmt.Errorf("users.upstream.ldap: %w", err)
	}
	return source, nil
}

// secretText returns the secret of a variable or a file; "" where neither is set.
func secretText(field, path, variable string, getenv func(string) string) (string, error) {
	read, err := secretSource(field, path, variable, getenv)
	if err != nil || read == nil {
		return "", err
	}
	return read()
}
