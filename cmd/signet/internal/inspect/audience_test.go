package inspect

import "testing"

// TestCheckAudience compares aud as services must.
func TestCheckAudience(t *testing.T) {
	for claims, good := range map[string]bool{
		`{"aud":"https://api.example.com"}`:       true,
		`{"aud":["a","https://api.example.com"]}`: true,
		`{"aud":["a"]}`:                         false,
		`{"aud":"https://api.example.com/"}`:    false,
		`{"aud":"HTTPS://API.EXAMPLE.COM"}`:     false,
		`{"aud":[]}`:                            false,
		`{"aud":7}`:                             false,
		`{"aud":["https://api.example.com",7]}`: false,
		`{"AUD":"x"}`:                           false,
		`{}`:                                    false,
	} {
		if err := checkAudience([]byte(claims), "https://api.example.com"); (err == nil) != good {
			t.Errorf("%s: got %v, want good: %v", claims, err, good)
		}
	}
}
