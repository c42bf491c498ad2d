package edge

import (
	"net/url"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestParseFormBody(t *testing.T) {
	f, err := parseFormBody("username=a%20b+c&password=p%26w%3D%C3%A9&scope=&unknown=1&unknown=2&resource=x&resource=y&&", parameters)
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
		got, err := parseFormBody(body, parameters)
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

// TestReadParameters: what a refused form has beside its fault can be trusted, since an error may be sent to the redirect URI.
func TestReadParameters(t *testing.T) {
	defined := Parameters{"state": true, "redirect_uri": true, "client_id": true}
	for _, c := range []struct{ name, query, want string }{
		{"all is well", "client_id=a&state=s&x=1&x=2", "client_id=a&state=s"},
		{"one repeats", "client_id=a&state=s&client_id=a", "state=s"},
		{"one comes three times", "state=1&state=2&state=3&client_id=a", "client_id=a"},
		{"one is empty, then not", "state=&state=2&client_id=a", "client_id=a"},
		{"one is broken, then not", "state=%zz&state=2&client_id=a", "client_id=a"},
		{"one is good, then broken", "state=2&state=%zz&client_id=a", "client_id=a"},
		{"a semicolon", "state=1;client_id=b&client_id=a", "client_id=a"},
		{"a line break", "client_id=a%0Ab&state=s", "state=s"},
		{"resources", "resource=x&resource=&resource=y", "resource=x&resource=y"},
	} {
		f, err := ReadQuery(c.query, defined)
		if got := f.Encode(); got != c.want {
			t.Errorf("%s: got %s, want %s", c.name, got, c.want)
		}
		if (err != nil) != (c.name != "all is well" && c.name != "resources") {
			t.Errorf("%s: got error %v", c.name, err)
		}
		if again, err := ReadQuery(f.Encode(), defined); err != nil || again.Encode() != f.Encode() {
			t.Errorf("%s: encoded and read again it is %s, %v", c.name, again.Encode(), err)
		}
	}
}
