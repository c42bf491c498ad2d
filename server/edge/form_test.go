package edge

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseFormBody(t *testing.T) {
	f, err := parseFormBody("username=a%20b+c&password=p%26w%3D%C3%A9&scope=&unknown=1&unknown=2&resource=x&resource=y&&")
	if err != nil {
		t.Fatal(err)
	}
	if f.Get("username") != "a b c" || f.Get("password") != "p&w=é" {
		t.Errorf("got %v", f.values)
	}
	if _, ok := f.values["scope"]; ok {
		t.Error("an empty parameter counts as given")
	}
	if len(f.Resources) != 2 {
		t.Errorf("resource: got %v, want both", f.Resources)
	}
}

// What this parser accepts, the standard library's reads the same, apart from spaces in scope; it is only stricter.
func FuzzParseForm(f *testing.F) {
	for _, seed := range []string{"grant_type=password&username=a&password=b", "a=%zz", "\ufeffscope=+a++b\r\n", "a=b;c=d", "username=%00", "scope=a+b&scope=c", "=&=", "%", "resource=%41"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		got, err := parseFormBody(body)
		if err != nil {
			return
		}
		want, err := url.ParseQuery(strings.TrimRight(strings.TrimPrefix(body, "\ufeff"), "\r\n"))
		if err != nil {
			t.Fatalf("%q: accepted, and net/url says %v", body, err)
		}
		for name, value := range got.values {
			plain := want.Get(name)
			if name == "scope" {
				plain = strings.Join(strings.FieldsFunc(plain, func(c rune) bool { return c == ' ' }), " ")
			}
			if len(want[name]) != 1 || plain != value {
				t.Errorf("%q: %s is %q, net/url has %q", body, name, value, want[name])
			}
			if !utf8.ValidString(value) || strings.Contains(value, "\x00") || value == "" {
				t.Errorf("%q: %s holds %q", body, name, value)
			}
		}
	})
}
