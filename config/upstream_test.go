package config

import (
	"strings"
	"testing"
)

func TestUpstream(t *testing.T) {
	const search = "\n    ldap: {base: 'dc=x', filter: '(uid={username})'}"
	for _, tc := range []struct{ text, want string }{
		{"url: https://old.example/check", ""},
		{"url: http://127.0.0.1:8000/check", ""},
		{"url: http://localhost/check", ""},
		{"url: ldaps://ad.example" + search, ""},
		{"url: ldap://ad.example:389" + search, ""},
		{"url: ldap://127.0.0.1\n    ldap: {user_dn: 'uid={username},dc=x', plaintext: true, claims: [mail=email, 'memberOf=groups[]']}", ""},
		{"url: https://old.example\n    mode: stay", ""},
		{"mode: stay", "it has settings and no url"},
		{"url: http://old.example/check", "not encrypted"},
		{"url: https://ada:secret@old.example/", "remove it"},
		{"url: https:old.example", "is not a URL"},
		{"url: old.example", "is not a URL"},
		{"url: ftp://old.example", "begins with ftp:"},
		{"url: https://old.example/#x", "is never sent"},
		{"url: ldaps://ad.example", "set users.upstream.ldap.base"},
		{"url: ldaps://ad.example/dc=x" + search, "more than a host"},
		{"url: ldap://ad.example\n    ldap: {user_dn: 'uid={username},dc=x', plaintext: true}", "in the clear"},
		{"url: ldaps://ad.example\n    ldap: {user_dn: 'uid=ada,dc=x'}", "all users would be one"},
		{"url: ldaps://ad.example\n    ldap: {base: 'dc=x', filter: '(uid=ada)'}", "all users would be one"},
		{"url: ldaps://ad.example\n    ldap: {base: 'dc=x', filter: '(uid={username})', user_dn: 'uid={username}'}", "takes the place"},
		{"url: ldaps://ad.example\n    ldap: {user_dn: 'uid={username}', claims: [mail]}", "is not ATTRIBUTE=CLAIM"},
		{"url: ldaps://ad.example\n    ldap: {user_dn: 'uid={username}', claims: [uid=sub]}", "a meaning of its own"},
		{"url: ldaps://ad.example\n    ldap: {user_dn: 'uid={username}', id_attribute: ''}", "entryUUID"},
		{"url: https://old.example\n    mode: keep", "is not one of move, stay"},
		{"url: https://old.example\n    id_claim: sub", "a meaning of its own"},
		{"url: https://old.example\n    timeout: 20s", "set it from 100ms to 8s"},
		{"url: https://old.example\n    cert: a.pem", "belong together"},
	} {
		_, warnings, err := load("signet.yaml", []byte("issuer: https://a.example\nusers:\n  upstream:\n    "+tc.text+"\n"), "/etc", nil)
		got := ""
		if err != nil {
			got = err.Error()
		}
		for _, w := range warnings {
			got += string(w)
		}
		if (got == "") != (tc.want == "") || !strings.Contains(got, tc.want) || strings.Contains(got, "secret") {
			t.Errorf("%s: got %q, want %q", tc.text, got, tc.want)
		}
	}
}
