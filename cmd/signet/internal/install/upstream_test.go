package install_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"signet/cmd/signet/internal/install"
	"signet/config"
)

// TestUpstream: the source that a configuration asks for, and what cannot be used.
func TestUpstream(t *testing.T) {
	dir := t.TempDir()
	secretFile := filepath.Join(dir, "upstream.secret")
	if err := os.WriteFile(secretFile, []byte("a secret of the two systems\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, tc := range map[string]struct {
		change     func(*config.Upstream)
		env        map[string]string
		kind, want string
	}{
		"none":  {func(*config.Upstream) {}, nil, "", ""},
		"https": {func(u *config.Upstream) { u.URL, u.SecretFile = "https://old.example/check", secretFile }, nil, "https", ""},
		"a secret in a variable": {func(u *config.Upstream) { u.URL = "https://old.example/check" },
			map[string]string{"SIGNET_USERS_UPSTREAM_SECRET": "0123456789abcdef"}, "https", ""},
		"not signed": {func(u *config.Upstream) { u.URL = "https://old.example/check" }, nil, "", "calls are not signed"},
		"a short secret": {func(u *config.Upstream) { u.URL = "https://old.example/check" },
			map[string]string{"SIGNET_USERS_UPSTREAM_SECRET": "hunter2"}, "", "has 7 characters"},
		"a CA that is not there": {func(u *config.Upstream) {
			u.URL, u.SecretFile, u.CA = "https://old.example/check", secretFile, filepath.Join(dir, "ca.pem")
		}, nil, "", "users.upstream.ca"},
		"a directory": {func(u *config.Upstream) {
			u.URL, u.LDAP.UserDN, u.LDAP.Claims = "ldaps://ad.example", "uid={username},dc=x", []string{"mail=email", "memberOf=groups[]"}
		}, nil, "ldap", ""},
		"a directory with a search": {func(u *config.Upstream) {
			u.URL, u.LDAP.BindDN, u.LDAP.Base, u.LDAP.Filter = "ldap://ad.example", "cn=signet,dc=x", "dc=x", "(uid={username})"
		}, map[string]string{"SIGNET_USERS_UPSTREAM_BIND_PASSWORD": "hunter2"}, "ldap", ""},
		"a search without a password": {func(u *config.Upstream) {
			u.URL, u.LDAP.BindDN, u.LDAP.Base, u.LDAP.Filter = "ldap://ad.example", "cn=signet,dc=x", "dc=x", "(uid={username})"
		}, nil, "", "its account has no password"},
		"a broken filter": {func(u *config.Upstream) {
			u.URL, u.LDAP.Base, u.LDAP.Filter = "ldap://ad.example", "dc=x", "(uid={username}"
		}, nil, "", "the filter of the directory"},
	} {
		t.Run(name, func(t *testing.T) {
			cfg := config.Default()
			tc.change(&cfg.Users.Upstream)
			got, err := install.Upstream(cfg, func(name string) string { return tc.env[name] })
			text := ""
			if err != nil {
				text = err.Error()
			}
			if got.Kind != tc.kind || (got.Source != nil) != (tc.kind != "") || (err != nil) != (tc.want != "") || !strings.Contains(text, tc.want) || strings.Contains(text, "hunter2") {
				t.Errorf("got %q, %v; want %q, %q", got.Kind, err, tc.kind, tc.want)
			}
		})
	}
}
