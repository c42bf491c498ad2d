package manage

import (
	"encoding/json"
	"testing"
)

func FuzzParseClaim(f *testing.F) {
	for _, s := range []string{"a=b", "a:=1", "a=[1]", "=", "a", "a==", `a={"b":"c"}`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		name, value, err := parseClaim(s)
		if err == nil && (name == "" || !json.Valid(value)) {
			t.Errorf("%q gives %q and %s", s, name, value)
		}
	})
}
