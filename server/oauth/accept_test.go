package oauth

import (
	"strings"
	"testing"

	"signet/server/edge"
)

func TestWantsSigned(t *testing.T) {
	const signed = "application/token-introspection+jwt"
	for _, c := range []struct {
		name   string
		accept []string
		want   bool
	}{
		{"nothing", nil, false},
		{"empty", []string{""}, false},
		{"anything", []string{"*/*"}, false},
		{"any application", []string{"application/*"}, false},
		{"JSON", []string{"application/json"}, false},
		{"another JWT", []string{"application/jwt"}, false},
		{"neither", []string{"text/html"}, false},
		{"the type", []string{signed}, true},
		{"in capitals", []string{strings.ToUpper(signed)}, true},
		{"with a parameter", []string{signed + ";charset=utf-8"}, true},
		{"with a weight", []string{signed + ";q=0.001"}, true},
		{"with spaces", []string{"  " + signed + " ; q=1.000 "}, true},
		{"not at all", []string{signed + ";q=0"}, false},
		{"not at all, in zeros", []string{signed + ";Q=0.000"}, false},
		{"weight of nonsense", []string{signed + ";q=x"}, false},
		{"weight above 1", []string{signed + ";q=2"}, false},
		{"weight below 0", []string{signed + ";q=-1"}, false},
		{"weight that is no number", []string{signed + ";q=NaN"}, false},
		{"both", []string{signed + ", application/json"}, true},
		{"both, the other way round", []string{"application/json," + signed}, true},
		{"both, in two headers", []string{"application/json", signed}, true},
		{"rather JSON", []string{signed + ";q=0.8, application/json"}, false},
		{"rather signed", []string{signed + ", application/json;q=0.8"}, true},
		{"and anything", []string{signed + ", */*"}, true},
		{"rather anything", []string{signed + ";q=0.5, */*"}, false},
		{"JSON by its range is less", []string{signed + ";q=0.5, application/*;q=0.4, */*"}, true},
		{"JSON by its name is more", []string{signed + ";q=0.5, application/*;q=0.4, application/json;q=0.6"}, false},
		{"no JSON", []string{signed + ";q=0.5, application/json;q=0, */*"}, true},
		{"twice", []string{signed + ";q=0, " + signed}, true},
		{"a broken neighbour", []string{"application/json;q=\"1, " + signed}, false},
		{"an empty neighbour", []string{",, " + signed + ","}, true},
		{"quoted", []string{`text/plain;x="a, ` + signed + `, b"`}, false},
		{"quoted, with a quote in it", []string{`text/plain;x="a\", ` + signed + `, b"`}, false},
		{"longer", []string{signed + "x"}, false},
		{"shorter", []string{signed[:len(signed)-1]}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := wantsSigned(c.accept); got != c.want {
				t.Errorf("%q: got %t, want %t", c.accept, got, c.want)
			}
		})
	}
}

// Only who writes the type down gets it, whatever else stands there.
func FuzzWantsSigned(f *testing.F) {
	for _, seed := range []string{"*/*", "application/token-introspection+jwt;q=0.5", `a/b;x="\"`, "application/json, */*;q=0.1", ",;=q"} {
		f.Add(seed, "application/json")
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		if wantsSigned([]string{one, two}) && !strings.Contains(strings.ToLower(one+","+two), "application/token-introspection+jwt") {
			t.Errorf("%q, %q: a signed answer that nobody asked for", one, two)
		}
		if weight, _ := edge.AcceptQuality([]string{one, two}, "application/json"); !(weight >= 0 && weight <= 1) {
			t.Errorf("%q, %q: got weight %v", one, two, weight)
		}
	})
}
