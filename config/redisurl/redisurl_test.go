package redisurl

import (
	"net"
	"reflect"
	"strconv"
	"strings"
	"testing"
)

var goodURLs = []struct {
	url  string
	want URL
	full string // as String spells it
}{
	{"redis://r", URL{Mode: Standalone, Addrs: []string{"r:6379"}}, "redis://r:6379"},
	{"redis://r:1/15", URL{Mode: Standalone, Addrs: []string{"r:1"}, DB: 15}, "redis://r:1/15"},
	{"redis://R_1.example.:65535/0", URL{Mode: Standalone, Addrs: []string{"R_1.example.:65535"}}, "redis://R_1.example.:65535"},
	{"redis://10.0.0.5", URL{Mode: Standalone, Addrs: []string{"10.0.0.5:6379"}}, "redis://10.0.0.5:6379"},
	{"rediss://[fd00:0::5]", URL{Mode: Standalone, TLS: true, Addrs: []string{"[fd00::5]:6379"}}, "rediss://[fd00::5]:6379"},
	{"rediss://[::1]:7/2", URL{Mode: Standalone, TLS: true, Addrs: []string{"[::1]:7"}, DB: 2}, "rediss://[::1]:7/2"},
	{"redis+sentinel://a/mymaster", URL{Mode: Sentinel, Addrs: []string{"a:26379"}, Master: "mymaster"},
		"redis+sentinel://a:26379/mymaster"},
	{"rediss+sentinel://a,b:1,[::1]/m-1_x.y/3", URL{Mode: Sentinel, TLS: true, Addrs: []string{"a:26379", "b:1", "[::1]:26379"},
		Master: "m-1_x.y", DB: 3}, "rediss+sentinel://a:26379,b:1,[::1]:26379/m-1_x.y/3"},
	{"redis+cluster://a", URL{Mode: Cluster, Addrs: []string{"a:6379"}}, "redis+cluster://a:6379"},
	{"rediss+cluster://a,a:6380,b", URL{Mode: Cluster, TLS: true, Addrs: []string{"a:6379", "a:6380", "b:6379"}},
		"rediss+cluster://a:6379,a:6380,b:6379"},
}

func TestURL(t *testing.T) {
	for _, tt := range goodURLs {
		got, err := Parse(tt.url)
		if err != nil || !reflect.DeepEqual(got, tt.want) || got.String() != tt.full {
			t.Errorf("%s: got %+v, %v, %s; want %+v, %s", tt.url, got, err, got, tt.want, tt.full)
		}
	}
}

func TestRefused(t *testing.T) {
	tests := []struct{ part, url string }{
		{"scheme", ""},
		{"scheme", "hunter2"},
		{"scheme", "hunter2://r"},
		{"scheme", "/var/lib/signet.db"},
		{"scheme", "REDIS://r"},
		{"scheme", " redis://r"},
		{"scheme", "redis+://r"},
		{"scheme", "redis+standalone://r"},
		{"scheme", "redis+sentinels://r/m"},
		{"scheme", "redis-cluster://r"},
		{"scheme", "rediss+tls://r"},
		{"scheme", "unix:///run/redis.sock"},
		{"scheme", "redis+unix:///run/redis.sock"},
		{"scheme", "valkey://r"},
		{"no // behind the scheme", "redis:"},
		{"no // behind the scheme", "redis:hunter2"},
		{"no // behind the scheme", "redis:/hunter2"},
		{"user name or password", "redis://signet:hunter2@r"},
		{"user name or password", "redis://:hunter2@r"},
		{"user name or password", "redis://hunter2@r"},
		{"user name or password", "redis://@r"},
		{"user name or password", "redis:hunter2@r"},
		{"user name or password", "redis://u:hunter2/?#x@r"},
		{"user name or password", "redis+cluster://a,u:hunter2@b"},
		{"user name or password", "redis+sentinel://a/m@hunter2"},
		{"query", "redis://r?password=hunter2"},
		{"query", "redis://r/0?"},
		{"query", "redis+sentinel://a/m?db=1"},
		{"fragment", "redis://r#hunter2"},
		{"fragment", "redis://r/0#"},
		{"host is missing", "redis://"},
		{"host is missing", "redis:///0"},
		{"host is missing", "redis://:6379"},
		{"host is missing", "redis://:hunter2"},
		{"address 2 of 2: its host is missing", "redis+cluster://a,"},
		{"address 1 of 2: its host is missing", "redis+sentinel://,a/m"},
		{"host is neither", "redis://6379"},
		{"host is neither", "redis://10.0.0.256"},
		{"host is neither", "redis://10.0.0.05"},
		{"host is neither", "redis://10.1"},
		{"host is neither", "redis://10.0.0.1."},
		{"host is neither", "redis://."},
		{"host is neither", "redis://a..b"},
		{"host is neither", "redis://-a"},
		{"host is neither", "redis://a-.b"},
		{"host is neither", "redis://hunter2%40r"},
		{"host is neither", "redis://hunter2!"},
		{"host is neither", "redis://é"},
		{"host is neither", "redis://a]"},
		{"host is neither", "redis://" + strings.Repeat("x", 64)},
		{"host is neither", "redis://" + strings.Repeat("x.", 127) + "x"},
		{"address 2 of 2: its host is neither", "redis+cluster://a, b"},
		{"host has colons", "redis://fd00::5"},
		{"host has colons", "redis://u:hunter2:r"},
		{"host is not an IPv6 address", "redis://[::1"},
		{"host is not an IPv6 address", "redis://[]"},
		{"host is not an IPv6 address", "redis://[hunter2]"},
		{"host is not an IPv6 address", "redis://[10.0.0.5]"},
		{"host is not an IPv6 address", "redis://[fe80::1%25eth0]"},
		{"more than one host", "redis://a,b"},
		{"same host and port", "redis+cluster://a,b,a:6379"},
		{"port has no colon", "redis://[::1]6379"},
		{"port is not", "redis://r:"},
		{"port is not", "redis://r:0"},
		{"port is not", "redis://r:06379"},
		{"port is not", "redis://r:+1"},
		{"port is not", "redis://r:65536"},
		{"port is not", "redis://signet:hunter2"},
		{"port is not", "redis://[::1]:hunter2"},
		{"address 3 of 3: its port is not", "redis+cluster://a,b,c:hunter2"},
		{"database is not", "redis://r/"},
		{"database is not", "redis://r/-1"},
		{"database is not", "redis://r/00"},
		{"database is not", "redis://r/0/"},
		{"database is not", "redis://r/2147483648"},
		{"database is not", "redis://r/hunter2"},
		{"database is not", "redis+sentinel://a/m/"},
		{"database is not", "redis+sentinel://a/m/hunter2"},
		{"database", "redis+cluster://a/0"},
		{"database", "redis+cluster://a/hunter2"},
		{"database", "redis+cluster://a/"},
		{"master name", "redis+sentinel://a"},
		{"master name", "redis+sentinel://a/"},
		{"master name", "redis+sentinel://a//0"},
		{"master name", "redis+sentinel://a/hunter2!"},
		{"master name", "redis+sentinel://a/my master"},
	}
	for _, tt := range tests {
		_, err := Parse(tt.url)
		if err == nil || !strings.Contains(err.Error(), tt.part) || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%q: got %v, want an error about %q without hunter2", tt.url, err, tt.part)
			continue
		}
		if !strings.Contains(err.Error(), "write") && !strings.Contains(err.Error(), "remove") {
			t.Errorf("%q: %v: does not say what to do", tt.url, err)
		}
	}
}

// TestURLIsNotRepeated slips a password into every place of every good URL.
func TestURLIsNotRepeated(t *testing.T) {
	for _, tt := range goodURLs {
		for i := range len(tt.url) + 1 {
			for _, slip := range []string{"!hunter2!", ":!hunter2@", "/!hunter2/", ",!hunter2", "[!hunter2]"} {
				url := tt.url[:i] + slip + tt.url[i:]
				if _, err := Parse(url); err == nil || strings.Contains(err.Error(), "hunter2") {
					t.Errorf("%s: got %v", url, err)
				}
			}
		}
	}
}

func FuzzURL(f *testing.F) {
	for _, tt := range goodURLs {
		f.Add(tt.url)
	}
	f.Add("redis://user:hunter2@[fe80::1%eth0]:0/?#")
	f.Fuzz(func(t *testing.T, s string) {
		r, err := Parse(s)
		if err != nil {
			return
		}
		checkComplete(t, r)
		again, err := Parse(r.String())
		if err != nil || !reflect.DeepEqual(again, r) {
			t.Errorf("%q is %+v, written %s, read %+v, %v", s, r, r, again, err)
		}
	})
}

func checkComplete(t *testing.T, r URL) {
	t.Helper()
	for _, addr := range r.Addrs {
		host, port, err := net.SplitHostPort(addr)
		n, numErr := strconv.Atoi(port)
		if err != nil || host == "" || numErr != nil || n < 1 || n > 65535 {
			t.Errorf("address %q: got host %q, port %q, %v", addr, host, port, err)
		}
	}
	if len(r.Addrs) == 0 || len(r.Addrs) > 1 && r.Mode == Standalone {
		t.Errorf("%s: got %d addresses", r.Mode, len(r.Addrs))
	}
	if (r.Master != "") != (r.Mode == Sentinel) || r.DB < 0 || r.DB != 0 && r.Mode == Cluster {
		t.Errorf("got %+v", r)
	}
}
