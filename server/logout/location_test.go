package logout

import (
	"net/url"
	"testing"

	"signet/server/syntax"
)

// Whatever the state is, the browser goes to the registered URI, with that state and what the URI had in its query.
func FuzzLocation(f *testing.F) {
	f.Add("https://app.example.com/bye", "a&b=c#d")
	f.Add("https://app.example.com/bye?from=signet", "https://evil.example/")
	f.Add("com.example.app:/bye", "\r\nLocation: x")
	f.Add("http://127.0.0.1:8000/?", "")
	f.Fuzz(func(t *testing.T, uri, state string) {
		if syntax.CheckRedirectURI(uri) != "" {
			t.Skip()
		}
		registered, err := url.Parse(uri)
		if err != nil {
			t.Skip()
		}
		got, err := url.Parse(back{URI: uri, State: state}.location())
		if err != nil {
			t.Fatalf("%q, %q: %v", uri, state, err)
		}
		if got.Scheme != registered.Scheme || got.Host != registered.Host || got.Path != registered.Path || got.Opaque != registered.Opaque || got.Fragment != "" {
			t.Errorf("%q, %q: got %s", uri, state, got)
		}
		had, has := registered.Query(), got.Query()
		if state != "" {
			had["state"] = append(had["state"], state)
		}
		if had.Encode() != has.Encode() {
			t.Errorf("%q, %q: got query %v, want %v", uri, state, has, had)
		}
	})
}
