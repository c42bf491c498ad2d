package clients

import "testing"

func TestBrief(t *testing.T) {
	for _, test := range []struct {
		list []string
		want string
	}{
		{nil, "-"},
		{[]string{"password"}, "password"},
		{[]string{"a", "b", "c"}, "a b c"},
		{[]string{"password", "refresh_token"}, "password +1"},
		{[]string{"a", "b", "orders:read", "orders:write"}, "a b orders:read +1"},
		{[]string{"https://orders.example.com"}, "https://orders.ex…"},
		{[]string{"https://orders.example.com", "x"}, "https://orders… +1"},
	} {
		if got := brief(test.list, 18); got != test.want {
			t.Errorf("%q: got %q, want %q", test.list, got, test.want)
		}
	}
}
