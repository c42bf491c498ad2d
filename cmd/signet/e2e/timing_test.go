package e2e

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// timedKind is one kind of refused request, whose time must not tell it from the others of its group.
type timedKind struct {
	name string
	form func(round int) url.Values
}

// timings are the times of one kind, in the order of the rounds.
type timings []time.Duration

func (t timings) quantile(q float64) time.Duration {
	sorted := slices.Sorted(slices.Values(t))
	return sorted[int(q*float64(len(sorted)-1)+.5)]
}

func (t timings) String() string {
	return fmt.Sprintf("first tenth %v, quartiles %v and %v, median %v", t.quantile(.1).Round(time.Microsecond),
		t.quantile(.25).Round(time.Microsecond), t.quantile(.75).Round(time.Microsecond), t.quantile(.5).Round(time.Microsecond))
}

// noise is how far apart two halves of one kind are at the quantile, but for one split in a hundred:
// what chance and a busy machine make of requests that do not differ at all. The halves are smaller
// than the whole, so that chance makes rather less of whole kinds.
func (t timings) noise(q float64) time.Duration {
	splits := make(timings, 0, 300)
	shuffled := slices.Clone(t)
	for range cap(splits) {
		rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		half := len(shuffled) / 2
		splits = append(splits, (shuffled[:half].quantile(q) - shuffled[half:].quantile(q)).Abs())
	}
	return splits.quantile(.99)
}

// tellApart returns by what the two kinds can be told apart: that they differ by more than either of
// them differs from itself, in the middle or, where a busy machine disturbs least, among the fastest.
func tellApart(a, b timings) (by string, apart bool) {
	for _, q := range []float64{.5, .1} {
		difference, noise := (a.quantile(q) - b.quantile(q)).Abs(), max(a.noise(q), b.noise(q))
		if difference > noise {
			return fmt.Sprintf("%v at the %v quantile, where chance makes %v", difference, q, noise), true
		}
	}
	return "", false
}

// timeKinds asks in rounds, each kind once a round and in a new order, so that whatever else the
// machine does meets all of them.
func (p *process) timeKinds(kinds []timedKind, rounds int) []timings {
	p.t.Helper()
	client := &http.Client{Timeout: 30 * time.Second, Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	taken := make([]timings, len(kinds))
	var first string
	for round := range rounds {
		for _, i := range rand.Perm(len(kinds)) {
			begun := time.Now()
			res, err := client.PostForm(p.demo.Issuer+"/token", kinds[i].form(round))
			took := time.Since(begun)
			if err != nil {
				p.t.Fatal(err)
			}
			body, err := io.ReadAll(res.Body)
			res.Body.Close()
			if answer := fmt.Sprint(res.StatusCode, string(body)); first == "" {
				first = answer
			} else if err != nil || answer != first {
				p.t.Fatalf("%s: got %s, %v, want what the others get, %s", kinds[i].name, answer, err, first)
			}
			taken[i] = append(taken[i], took)
		}
	}
	return taken
}

// wantAlike asks again where two kinds are told apart: chance does not say the same three times.
func (p *process) wantAlike(kinds []timedKind, rounds int) {
	p.t.Helper()
	p.timeKinds(kinds, 10) // what is slow only once
	for attempt := 1; ; attempt++ {
		taken := p.timeKinds(kinds, rounds)
		var told []string
		for i, kind := range kinds {
			p.t.Logf("%-16s %v", kind.name, taken[i])
			for j := range i {
				if by, apart := tellApart(taken[i], taken[j]); apart {
					told = append(told, fmt.Sprintf("%s and %s by %s", kind.name, kinds[j].name, by))
				}
			}
		}
		if len(told) == 0 {
			return
		}
		if attempt == 3 {
			p.t.Errorf("told apart by their time, three times: %s", strings.Join(told, "; "))
			return
		}
	}
}

// What the tests below compare by is itself tried: kinds of one distribution with a long tail are
// alike, and a shift by half of their spread is noticed.
func TestTimingsAreToldApart(t *testing.T) {
	draw := func(shift time.Duration) (list timings) {
		for range 100 {
			list = append(list, 25*time.Millisecond+shift+time.Duration(rand.ExpFloat64()*float64(time.Millisecond)))
		}
		return list
	}
	told := 0
	for range 20 {
		if _, apart := tellApart(draw(0), draw(0)); apart {
			told++
		}
	}
	if told > 2 {
		t.Errorf("of 20 equal pairs %d were told apart", told)
	}
	if _, apart := tellApart(draw(0), draw(time.Millisecond/2)); !apart {
		t.Error("half a millisecond was not noticed")
	}
}

// Row 55 by the clock: whoever is refused, and why, costs the same. The hashes are those of a
// default install.
func TestRefusedLoginsCostTheSame(t *testing.T) {
	p := startInstall(t, "", "SIGNET_PASSWORD_ARGON2_MEMORY_KIB=19456", "SIGNET_PASSWORD_ARGON2_TIME=2",
		"SIGNET_THROTTLE_PER_ACCOUNT=100", "SIGNET_THROTTLE_PER_NETWORK=0", "SIGNET_THROTTLE_PER_CLIENT=0")
	const accounts = 3
	for i := range accounts {
		for _, name := range []string{"known", "disabled"} {
			p.admin(p.demo.Password, "user", "create", "--username", fmt.Sprint(name, i), "--password-stdin")
		}
		p.admin("", "user", "disable", fmt.Sprint("disabled", i))
		p.admin(fmt.Sprintf(`{"username":"imported%d","password_hash":"md5$salt$185a8ce4c769b0acdfda7dcc0f5026bf","hash_scheme":"django"}`, i), "user", "import", "--file", "-")
	}
	login := func(name, password string) func(int) url.Values {
		return func(round int) url.Values {
			return with(p.demo.login(), "username", fmt.Sprint(name, round%accounts), "password", password)
		}
	}
	rounds := 60
	if raceEnabled() { // it makes hashes slower, and no less alike
		rounds = 30
	}
	p.wantAlike([]timedKind{
		{"unknown user", login("unknown", "a wrong password")},
		{"wrong password", login("known", "a wrong password")},
		{"disabled user", login("disabled", p.demo.Password)},
		{"wrapped hash", login("imported", "a wrong password")},
	}, rounds)
}

// Rows 36, 37 and 51 by the clock.
func TestRefusedClientsCostTheSame(t *testing.T) {
	p := startInstall(t, "", "SIGNET_THROTTLE_PER_CLIENT=0")
	p.createClient("off")
	p.admin("", "client", "disable", "off")
	credentials := func(id string) func(int) url.Values {
		form := url.Values{"grant_type": {"client_credentials"}, "client_id": {id}, "client_secret": {"signet_cs_wrong"}}
		return func(int) url.Values { return form }
	}
	p.wantAlike([]timedKind{
		{"unknown client", credentials("web2")},
		{"wrong secret", credentials("web")},
		{"disabled client", credentials("off")},
	}, 800)
}
