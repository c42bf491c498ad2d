package server_test

import (
	"fmt"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"signet/server"
	"signet/server/servertest"
	"signet/store"
)

const orders, billing, mail = "https://orders.example", "https://billing.example/v1?tenant=a", "urn:example:mail"

// withAudiences starts a server whose web client has several audiences, one of them a plain name.
func withAudiences(t *testing.T) *servertest.Server {
	t.Helper()
	s := servertest.New(t, nil)
	s.SetClient(t, servertest.Web, func(c *store.Client) { c.Audiences = []string{orders, billing, mail, "stock"} })
	return s
}

// resources are the parameters that ask for them.
func resources(all ...string) (params []string) {
	for _, r := range all {
		params = append(params, "resource="+r)
	}
	return params
}

func audienceOf(t *testing.T, a servertest.Answer) any {
	t.Helper()
	_, claims := servertest.DecodeJWT(t, a.Str("access_token"))
	return claims["aud"]
}

// begin asks for a token by a grant that begins something new.
func begin(t *testing.T, s *servertest.Server, grant string, more ...string) *servertest.Request {
	params := append([]string{"grant_type=" + grant}, more...)
	if grant == "password" {
		params = append(params, "username="+servertest.User, "password="+servertest.Password)
	}
	return s.Form(t, "/token", params...).Web()
}

var beginnings = []string{"password", "client_credentials"}

// The audience is what was asked for (RFC 8707 §2), a string where it is one and an array where it
// is several; whoever asks for nothing gets all.
func TestResources(t *testing.T) {
	t.Parallel()
	s := withAudiences(t)
	for _, c := range []struct {
		name  string
		asked []string
		want  any
	}{
		{"none", nil, []any{orders, billing, mail, "stock"}},
		{"empty ones", []string{"", ""}, []any{orders, billing, mail, "stock"}},
		{"one", []string{orders}, orders},
		{"one with a query", []string{billing}, billing},
		{"one that is no URL", []string{mail}, mail},
		{"a plain name", []string{"stock"}, "stock"},
		{"one and an empty one", []string{"", orders}, orders},
		{"two, as asked", []string{billing, orders}, []any{billing, orders}},
		{"one twice", []string{orders, orders}, orders},
		{"all", []string{orders, billing, mail, "stock"}, []any{orders, billing, mail, "stock"}},
	} {
		for _, grant := range beginnings {
			t.Run(c.name+" by "+grant, func(t *testing.T) {
				if got := audienceOf(t, begin(t, s, grant, resources(c.asked...)...).Wants(http.StatusOK, "")); !reflect.DeepEqual(got, c.want) {
					t.Errorf("got aud %v, want %v", got, c.want)
				}
			})
		}
	}
	s.SetClient(t, servertest.Web, func(c *store.Client) { c.Audiences = nil })
	for _, grant := range beginnings {
		for _, asked := range [][]string{nil, {s.URL}} {
			if got := audienceOf(t, begin(t, s, grant, resources(asked...)...).Wants(http.StatusOK, "")); got != s.URL {
				t.Errorf("%s, a client without audiences that asks for %q: got aud %v, want the server's", grant, asked, got)
			}
		}
	}
}

// Rows 125 and R-47. What is malformed and what is not registered are refused alike by their code,
// and told apart by their description, since the developer does something else about each.
func TestBadResources(t *testing.T) {
	t.Parallel()
	s := withAudiences(t)
	const malformed, unknown, many = "absolute URI without a fragment", "to the letter", "at most 20"
	for _, c := range []struct {
		name  string
		asked []string
		says  string
	}{
		{"relative path", []string{"/v1"}, malformed},
		{"relative, with a registered host", []string{"//orders.example"}, malformed},
		{"registered, with a fragment", []string{orders + "#canary"}, malformed},
		{"registered, with an empty fragment", []string{orders + "#"}, malformed},
		{"a plain name with a fragment", []string{"stock#canary"}, malformed},
		{"a plain name with a query", []string{"stock?canary"}, malformed},
		{"no host", []string{"https://"}, malformed},
		{"no URI", []string{"https://orders.example:canary"}, malformed},
		{"two in one", []string{orders + " " + mail}, malformed},
		{"a line break", []string{orders + "\n"}, malformed},
		{"not ASCII", []string{"https://bücher.example"}, malformed},
		{"long", []string{"https://orders.example/" + strings.Repeat("a", 500)}, malformed},
		{"unregistered", []string{"https://canary.example"}, unknown},
		{"unregistered name", []string{"canary"}, unknown},
		{"a slash more", []string{orders + "/"}, unknown},
		{"in capitals", []string{strings.ToUpper(orders)}, unknown},
		{"without its query", []string{"https://billing.example/v1"}, unknown},
		{"a good one and a bad one", []string{orders, "https://canary.example"}, unknown},
		{"the server's own, which is not the client's", []string{s.URL}, unknown},
		{"too many", strings.Split(strings.Repeat(orders+" ", 21)[:21*len(orders+" ")-1], " "), many},
	} {
		for _, grant := range beginnings {
			t.Run(c.name+" by "+grant, func(t *testing.T) {
				a := begin(t, s, grant, resources(c.asked...)...).Wants(http.StatusBadRequest, "invalid_target")
				checkRefusal(t, a)
				if got := a.Str("error_description"); !strings.Contains(got, c.says) {
					t.Errorf("got description %q, want it to say %q", got, c.says)
				}
			})
		}
	}
}

// A refresh narrows the audience of its access token alone, and never widens the login's.
func TestResourcesOfARefresh(t *testing.T) {
	t.Parallel()
	s := withAudiences(t)
	all := begin(t, s, "password").Wants(http.StatusOK, "")
	one := s.Refresh(t, all.Str("refresh_token"), resources(orders)...).Wants(http.StatusOK, "")
	if got := audienceOf(t, one); got != orders {
		t.Errorf("narrowed: got aud %v", got)
	}
	again := s.Refresh(t, one.Str("refresh_token")).Wants(http.StatusOK, "")
	if got := audienceOf(t, again); !reflect.DeepEqual(got, []any{orders, billing, mail, "stock"}) {
		t.Errorf("after a narrowed refresh: got aud %v, want all of the login's", got)
	}

	two := begin(t, s, "password", resources(orders, "stock")...).Wants(http.StatusOK, "").Str("refresh_token")
	for _, bad := range []string{billing, "canary", "/v1", orders + "#x"} {
		s.Refresh(t, two, resources(orders, bad)...).Wants(http.StatusBadRequest, "invalid_target") // which consumes nothing
	}
	for range 3 {
		next := s.Refresh(t, two).Wants(http.StatusOK, "")
		if got := audienceOf(t, next); !reflect.DeepEqual(got, []any{orders, "stock"}) {
			t.Errorf("a session that was narrowed at login: got aud %v", got)
		}
		two = next.Str("refresh_token")
	}
	// Nor when the client is given more, or names all that it has.
	s.SetClient(t, servertest.Web, func(c *store.Client) { c.Audiences = append(c.Audiences, "https://new.example") })
	s.Refresh(t, two, resources("https://new.example")...).Wants(http.StatusBadRequest, "invalid_target")
	if got := audienceOf(t, s.Refresh(t, two, resources("stock", "")...).Wants(http.StatusOK, "")); got != "stock" {
		t.Errorf("narrowed once more: got aud %v", got)
	}
}

// The largest client that can be registered has refresh tokens that open again.
func TestTokensOfTheLargestClient(t *testing.T) {
	t.Parallel()
	s, admin := servertest.NewAdmin(t, nil)
	var audiences, scopes []string
	for i := range 20 {
		audiences = append(audiences, fmt.Sprintf(`"https://%02d.example/%s"`, i, strings.Repeat("a", 75-len("https://00.example/"))))
		scopes = append(scopes, fmt.Sprintf(`"%02d%s"`, i, strings.Repeat("s", 47)))
	}
	audiences[0] = `"` + s.URL + `"` // for /userinfo
	audiences[1] = `"https://01.example/` + strings.Repeat("a", 2*75-len("https://01.example/")-len(s.URL)) + `"`
	create := func(id, audiences string) *servertest.Request {
		return admin.CallJSON(t, "POST", "/v1/clients", `{"client_id":"`+id+`","public":true,"grants":["password","refresh_token"],
			"scopes":[`+strings.Join(scopes, ",")+`],"audiences":[`+audiences+`]}`)
	}
	create("larger", strings.Join(audiences, ",")+`,"b"`).Wants(http.StatusBadRequest, "invalid")
	one := strings.Join(append(audiences[:19:19], `"`+strings.Repeat("b", 76)+`"`), ",")
	create("larger", one).Wants(http.StatusBadRequest, "invalid").WantsMessage(t, "1501 characters in all")
	create("large", strings.Join(audiences, ",")).Wants(http.StatusCreated, "")
	tokens := s.Form(t, "/token", "grant_type=password", "username=ada", "password="+servertest.Password, "client_id=large").Wants(http.StatusOK, "")
	s.Form(t, "/token", "grant_type=refresh_token", "refresh_token="+tokens.Str("refresh_token"), "client_id=large").Wants(http.StatusOK, "")
	s.Userinfo(t, tokens.Str("access_token")).Wants(http.StatusOK, "")
}

// The server's default is the one audience that no client lists, and may be asked for as well.
func TestResourcesOfTheDefaultAudience(t *testing.T) {
	t.Parallel()
	s := servertest.New(t, func(cfg *server.Config) { cfg.Audience = []string{orders, "stock"} })
	for asked, want := range map[string]any{orders: orders, "stock": "stock", "": []any{orders, "stock"}} {
		if got := audienceOf(t, begin(t, s, "client_credentials", "resource="+asked).Wants(http.StatusOK, "")); !reflect.DeepEqual(got, want) {
			t.Errorf("resource=%s: got aud %v, want %v", asked, got, want)
		}
	}
	begin(t, s, "client_credentials", "resource="+s.URL).Wants(http.StatusBadRequest, "invalid_target")
}
