package config

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"signet/config/reader"
)

const issuerLine = "issuer: https://auth.example.com\n"

func TestLoadRefuses(t *testing.T) {
	tests := []struct {
		name string
		file string
		env  []string
		want []string
	}{
		{"empty file", "", nil,
			[]string{"signet.yaml: issuer: is required; set the URL by which apps reach this server, such as https://auth.example.com"}},
		{"not yaml", "issuer: [", nil,
			[]string{"signet.yaml: is not YAML: line 1: did not find expected node content"}},
		{"two documents", issuerLine + "---\n" + issuerLine, nil,
			[]string{"signet.yaml: has more than one YAML document; keep one and remove the --- line"}},
		{"a list at the top", "- a\n", nil, []string{
			"signet.yaml:1: must have keys below it, one a line, like `key: value`",
			"signet.yaml: issuer: is required; set the URL by which apps reach this server, such as https://auth.example.com"}},
		{"unknown key", issuerLine + "colour: red\n", nil,
			[]string{"signet.yaml:2: colour: unknown key; remove it, or see deploy/signet.example.yaml for the keys there are"}},
		{"misspelt key", issuerLine + "refresh:\n  idle: 1h\n  garce: 20s\n", nil,
			[]string{"signet.yaml:4: refresh.garce: unknown key; did you mean refresh.grace?"}},
		{"misspelt section", issuerLine + "refesh:\n  grace: 20s\n", nil,
			[]string{"signet.yaml:2: refesh: unknown key; did you mean refresh?"}},
		{"dotted key", issuerLine + "refresh.grace: 20s\n", nil,
			[]string{"signet.yaml:2: refresh.grace: unknown key; write `refresh:` and `grace:` indented below it"}},
		{"a key below a value", issuerLine + "store:\n  path: x\n", nil,
			[]string{"signet.yaml:2: store: takes one value"}},
		{"a value for a section", issuerLine + "tls: yes\n", nil,
			[]string{"signet.yaml:2: tls: must have keys below it, one a line, like `key: value`"}},
		{"twice", issuerLine + "listen: localhost:1\nlisten: localhost:2\n", nil,
			[]string{"signet.yaml:3: listen: is given twice, first in line 2; remove one"}},
		{"a list for the issuer", "issuer: [https://auth.example.com]\n", nil,
			[]string{"signet.yaml:1: issuer: takes one value"}},
		{"no list", issuerLine + "algorithms: ES256\n", nil,
			[]string{"signet.yaml:2: algorithms: takes a list; write it like [a, b]"}},
		{"list of lists", issuerLine + "algorithms: [[ES256]]\n", nil,
			[]string{"signet.yaml:2: algorithms: takes a list of plain values; write it like [a, b]"}},
		{"bad duration", issuerLine + "refresh: {grace: soon}\n", nil,
			[]string{`signet.yaml:2: refresh.grace: "soon" is not a duration; write it like 30s, 5m, 12h or 30d`}},
		{"a negative duration", issuerLine + "refresh:\n  grace: -5s\n", nil, []string{`signet.yaml:3: refresh.grace: "-5s" is negative; write it like 30s, 5m, 12h or 30d`}},
		{"a long duration", issuerLine + "refresh:\n  grace: 999999999h\n", nil, []string{`signet.yaml:3: refresh.grace: "999999999h" is too long; a duration is at most 106751d`}},
		{"a duration without a unit", issuerLine + "refresh: {grace: 5}\n", nil, []string{`signet.yaml:2: refresh.grace: "5" has no unit; write it like 30s, 5m, 12h or 30d`}},
		{"a token that lives too long", issuerLine + "access_token: {ttl: 10h}\n", nil, []string{"signet.yaml:2: access_token.ttl: is 10h; set it from 1s to 1h"}},
		{"a token that outlives the timetable", issuerLine + "access_token: {ttl: 40m}\nkeys: {max_token_life: 30m}\n", nil,
			[]string{"signet.yaml:2: access_token.ttl: is 40m and keys.max_token_life only 30m; shorten the one or raise the other"}},
		{"bad number", issuerLine + "password: {argon2: {threads: 300}}\n", nil,
			[]string{`signet.yaml:2: password.argon2.threads: "300" is not a whole number from 0 to 255`}},
		{"bad bool", issuerLine + "tls: {terminated_by_proxy: yes}\n", nil,
			[]string{`signet.yaml:2: tls.terminated_by_proxy: "yes" is neither true nor false`}},
		{"bad prefix", issuerLine + "trusted_proxies: [10.0.0.0/8, proxy]\n", nil,
			[]string{`signet.yaml:2: trusted_proxies: "proxy" is neither an address nor a CIDR range; write it like 10.0.0.0/8`}},
		{"bad variable", issuerLine, []string{"SIGNET_REFRESH_GRACE=2m", "SIGNET_AUDIT_RETAIN=all"}, []string{
			`SIGNET_AUDIT_RETAIN: audit.retain: "all" is not a whole number`,
			"SIGNET_REFRESH_GRACE: refresh.grace: is 2m; set it from 0s to 1m"}},
		{"several", "issuer: http://auth.example.com/\nlisten: :8080\nstore: redis://user:hunter2@db\nlog:\n  level: loud\n", nil, []string{
			`signet.yaml:1: issuer: "http://auth.example.com/" is plain http; write https:// (http is for localhost only; behind a TLS proxy the issuer is https too)`,
			"signet.yaml:3: store: has a user name or password in it; remove it with the @, and set redis.username, " +
				"and redis.password_file or the variable SIGNET_REDIS_PASSWORD",
			`signet.yaml:2: listen: ":8080" is reachable from other machines and passwords would cross the network in the clear; ` +
				"set tls.cert and tls.key, or tls.terminated_by_proxy: true behind a TLS proxy, or listen on 127.0.0.1",
			`signet.yaml:5: log.level: "loud" is not one of debug, info, warn, error`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, _, err := load("signet.yaml", []byte(tt.file), "/etc/signet", tt.env)
			if err == nil {
				t.Fatal("got no error")
			}
			got := strings.Split(err.Error(), "\n")
			if !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", err, strings.Join(tt.want, "\n"))
			}
			if strings.Contains(err.Error(), "hunter2") {
				t.Error("the password of the store is in the message")
			}
		})
	}
}

func TestLoadMissingFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "signet.yaml")
	_, _, err := Load(path, nil)
	if err == nil || err.Error() != path+": there is no such file; make one with `signet init`" {
		t.Errorf("got %v", err)
	}
	if _, _, err = Load(filepath.Dir(path), nil); err == nil || !strings.Contains(err.Error(), "is not a file") {
		t.Errorf("a directory: got %v", err)
	}
}

func TestLoadResolvesPaths(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "signet.yaml")
	file := issuerLine + "data_dir: data\nstore: bolt:db/s.db\npassword: {blocklist: words.txt}\nadmin: {socket: /run/s.sock}\n" +
		"redis: {password_file: pw, sentinel_password_file: spw, ca: ca.pem, cert: /c.pem, key: k.pem}\n"
	if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
		t.Fatal(err)
	}
	c, _, err := Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := []string{c.DataDir, c.Store, c.MasterKeyFile, c.Password.Blocklist, c.Admin.Socket, c.TLS.Cert, c.Audience[0]}
	want := []string{dir + "/data", "bolt:" + dir + "/data/db/s.db", dir + "/data/master.key", dir + "/words.txt", "/run/s.sock", "", c.Issuer}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	r := c.Redis
	got = []string{r.PasswordFile, r.SentinelPasswordFile, r.CA, r.Cert, r.Key}
	if want = []string{dir + "/pw", dir + "/spw", dir + "/ca.pem", "/c.pem", dir + "/k.pem"}; !slices.Equal(got, want) {
		t.Errorf("redis: got %q, want %q", got, want)
	}
	if p, ok := c.BoltPath(); !ok || p != dir+"/data/db/s.db" {
		t.Errorf("BoltPath: got %q, %v", p, ok)
	}
}

func TestLoadWithoutFile(t *testing.T) {
	t.Chdir(t.TempDir())
	wd, _ := os.Getwd()
	c, _, err := Load("", []string{"SIGNET_ISSUER=https://a.example"})
	if err != nil || c.DataDir != wd {
		t.Errorf("got %q, %v; want %q", c.DataDir, err, wd)
	}
}

// TestEnvSetsEveryField gives each field, through its variable, a value that is not its default.
func TestEnvSetsEveryField(t *testing.T) {
	values := map[string]string{ // where the type does not tell what is valid
		"issuer": "https://b.example", "listen": "[::1]:9", "data_dir": "/srv", "store": "rediss+sentinel://s/m",
		"algorithms": "EdDSA, RS256", "audience": "orders, https://b.example", "admin.listen": "localhost:99", "log.level": "debug", "log.format": "text", "password.process": "off",
		"trusted_proxies": "10.1.2.3,fd00::1/8", "access_token.ttl": "1m", "refresh.grace": "3s",
		"refresh.absolute": "80d", "password.wait": "1s", "throttle.per_account": "7", "audit.retain": "5000",
		"password.argon2.memory_kib": "8192", "password.min_length": "9", "password.import.bcrypt_cost": "9", "throttle.anywhere": "8",
		"users.upstream.url": "https://old.example/check", "users.upstream.mode": "stay", "users.upstream.timeout": "4s", "users.upstream.networks": "10.1.2.3",
		"backchannel_logout.networks": "10.1.2.3", "backchannel_logout.timeout": "4s",
		"page.colors.accent": "#123456", "page.colors.accent_dark": "#abcdef", "page.colors.background": "#eeeeee", "page.colors.background_dark": "#111111",
		"page.links.forgot_password": "https://a.example/forgot", "page.links.help": "mailto:help@a.example", "page.links.privacy": "https://a.example/privacy",
		"page.links.terms": "https://a.example/terms", "page.links.imprint": "https://a.example/imprint",
		"keys.preset": "strict", "keys.hsm.timeout": "3s", "redis.prefix": "other", "redis.server_name": "redis.example", "redis.wait_replicas": "2",
	}
	probe := Default()
	var env []string
	for _, f := range reader.Fields(&probe) {
		v, ok := values[f.Path]
		switch f.Value.Interface().(type) {
		case time.Duration:
			if !ok {
				v = "9m"
			}
		case int, uint8, uint32:
			if !ok {
				v = "33"
			}
		case bool:
			v = "true"
		case string, []string:
			if !ok {
				v = "/some/thing"
			}
		}
		env = append(env, f.Variable+"="+v)
	}
	got, warnings, err := load("", nil, "/etc", env)
	if err != nil || len(warnings) != 1 || !strings.HasPrefix(string(warnings[0]), "log.usernames: ") {
		t.Fatalf("got %q, %v; want one warning about log.usernames", warnings, err)
	}
	plain := Default()
	plain.resolve("/etc")
	for i, f := range reader.Fields(&got) {
		if reflect.DeepEqual(f.Value.Interface(), reader.Fields(&plain)[i].Value.Interface()) {
			t.Errorf("%s did not set %s", f.Variable, f.Path)
		}
	}
	want := []netip.Prefix{netip.MustParsePrefix("10.1.2.3/32"), netip.MustParsePrefix("fd00::/8")}
	if !slices.Equal(got.TrustedProxies, want) || !slices.Equal(got.Algorithms, []string{"EdDSA", "RS256"}) {
		t.Errorf("lists: got %v, %v", got.TrustedProxies, got.Algorithms)
	}
}

func TestPrecedence(t *testing.T) {
	file := []byte(issuerLine + "refresh: {grace: 20s, idle: later}\nshutdown: {delay: }\n")
	env := []string{"SIGNET_REFRESH_GRACE=30s", "SIGNET_REFRESH_IDLE=2d", "SIGNET_REFRESH_GRACE=40s", "SIGNET_LISTEN="}
	c, _, err := load("signet.yaml", file, "/etc", env)
	if err != nil {
		t.Fatalf("a variable must replace what is wrong in the file: %v", err)
	}
	if c.Refresh.Grace != 40*time.Second || c.Refresh.Idle != 48*time.Hour || c.Shutdown.Delay != 5*time.Second || c.Listen != "127.0.0.1:8080" {
		t.Errorf("got %+v %v %q", c.Refresh, c.Shutdown.Delay, c.Listen)
	}
}

func TestWarnings(t *testing.T) {
	env := []string{"SIGNET_REFRESH_GARCE=1s", "SIGNET_MASTER_KEY=x", "SIGNET_HSM_PIN=x", "SIGNET_PASSWORD_PEPPER=x", "SIGNET_REDIS_PASSWORD=x", "SIGNET_REDIS_SENTINEL_PASSWORD=x", "SIGNET_CONFIG=y", "SIGNET_FOO_BAR_BAZ=1", "HOME=/", "SIGNET_TRUSTED_PROXIES=0.0.0.0/0"}
	_, got, err := load("signet.yaml", []byte(issuerLine), "/etc", env)
	if err != nil {
		t.Fatal(err)
	}
	want := []Warning{
		"SIGNET_FOO_BAR_BAZ: there is no such setting and it has no effect",
		"SIGNET_REFRESH_GARCE: there is no such setting and it has no effect; did you mean SIGNET_REFRESH_GRACE?",
		"trusted_proxies: 0.0.0.0/0 accepts everyone's X-Forwarded-For, so throttling by network can be dodged; name your proxies' addresses",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Behind a proxy every address is the proxy's, unless its X-Forwarded-For is used.
func TestProxyWarning(t *testing.T) {
	const behind = issuerLine + "listen: 10.0.0.5:8080\ntls: {terminated_by_proxy: true}\n"
	for name, c := range map[string]struct {
		text string
		want int
	}{
		"not named":     {behind, 1},
		"an empty list": {behind + "trusted_proxies: []\n", 1},
		"named":         {behind + "trusted_proxies: [10.0.0.1]\n", 0},
		"no proxy":      {issuerLine, 0},
	} {
		_, got, err := load("signet.yaml", []byte(c.text), "/etc", nil)
		if err != nil || len(got) != c.want || c.want > 0 && !strings.HasPrefix(string(got[0]), "trusted_proxies: is empty") {
			t.Errorf("%s: got %q, %v, want %d warnings", name, got, err, c.want)
		}
	}
}

func TestAliases(t *testing.T) {
	c, _, err := load("signet.yaml", []byte(issuerLine+"log: {level: &l debug}\ndefault_client: *l\n"), "/etc", nil)
	if err != nil || c.DefaultClient != "debug" {
		t.Errorf("got %q, %v", c.DefaultClient, err)
	}
}

func FuzzLoad(f *testing.F) {
	example, err := os.ReadFile(examplePath)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(example, "SIGNET_REFRESH_GRACE=1s")
	f.Add([]byte(issuerLine+"a: &a [*a]\n? {b: c}\n: d\n"), "SIGNET_ALGORITHMS=,,")
	f.Add([]byte("refresh: &r {grace: 1s}\nkeys: *r\n<<: *r"), "SIGNET_")
	f.Fuzz(func(t *testing.T, data []byte, env string) {
		c, _, err := load("f.yaml", data, "/etc", []string{env})
		if err == nil {
			if err := c.Validate(); err != nil {
				t.Fatalf("loaded and yet not valid: %v", err)
			}
			return
		}
		var p *reader.Problem
		if !errors.As(err, &p) || p.Text == "" {
			t.Fatalf("an error without a problem: %v", err)
		}
	})
}

// TestTextOfOtherEditors: a byte order mark and CRLF change nothing.
func TestTextOfOtherEditors(t *testing.T) {
	const text = issuerLine + "refresh:\n  grace: 20s\n"
	for name, data := range map[string]string{
		"mark":          "\xef\xbb\xbf" + text,
		"CRLF":          strings.ReplaceAll(text, "\n", "\r\n"),
		"mark and CRLF": "\xef\xbb\xbf" + strings.ReplaceAll(text, "\n", "\r\n"),
	} {
		c, warnings, err := load("signet.yaml", []byte(data), "/etc", nil)
		if err != nil || len(warnings) > 0 || c.Issuer != "https://auth.example.com" || c.Refresh.Grace != 20*time.Second {
			t.Errorf("%s: got %q, grace %v, warnings %q and error %v", name, c.Issuer, c.Refresh.Grace, warnings, err)
		}
	}
}

// TestSecondServerKeepsTheMasterKey: SIGNET_DATA_DIR moves what a server writes, not the key that it shares.
func TestSecondServerKeepsTheMasterKey(t *testing.T) {
	dir, second := t.TempDir(), t.TempDir()
	path := filepath.Join(dir, "signet.yaml")
	touch := func(path, text string) {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	touch(path, issuerLine)
	want := func(what, key string, env ...string) {
		t.Helper()
		c, _, err := Load(path, append(env, "SIGNET_DATA_DIR="+second))
		if err != nil || c.MasterKeyFile != key || c.DataDir != second || c.Store != "bolt:"+filepath.Join(second, "signet.db") {
			t.Errorf("%s: got %s in %s and error %v, want %s", what, c.MasterKeyFile, c.DataDir, err, key)
		}
	}
	want("no key anywhere", filepath.Join(second, "master.key"))
	touch(filepath.Join(dir, "master.key"), "")
	want("the shared key", filepath.Join(dir, "master.key"))
	want("a key named by a variable", filepath.Join(second, "other.key"), "SIGNET_MASTER_KEY_FILE=other.key")
	touch(filepath.Join(second, "master.key"), "")
	want("a key of its own", filepath.Join(second, "master.key"))
}
