package keys

import (
	"fmt"
	"strings"
	"time"
)

// setting is one duration of the timetable under its name in the configuration.
type setting struct {
	name   string
	letter string
	d      time.Duration
}

func (s setting) String() string { return s.name + " " + spell(s.d) }

func (t Timetable) cache() setting        { return setting{"keys.cache", "J", t.VerifierCache} }
func (t Timetable) cdn() setting          { return setting{"keys.cdn", "C", t.EdgeCache} }
func (t Timetable) skew() setting         { return setting{"keys.skew", "S", t.ClockSkew} }
func (t Timetable) maxTokenLife() setting { return setting{"keys.max_token_life", "T", t.TokenLife} }
func (t Timetable) leeway() setting       { return setting{"keys.leeway", "L", t.Leeway} }
func (t Timetable) signStale() setting    { return setting{"keys.sign_stale", "X", t.SignStale} }
func (t Timetable) serveStale() setting   { return setting{"keys.serve_stale", "D", t.ServeStale} }
func (t Timetable) publish() setting      { return setting{"keys.publish", "P", t.Publish} }
func (t Timetable) retain() setting       { return setting{"keys.retain", "V", t.Retain} }

// rule is one of the inequalities: what must outlast what.
type rule struct {
	text   string // as doc.go has it
	long   setting
	parts  []setting // that it must be at least as long as, together
	strict bool      // longer, not only as long
	why    string    // what breaks otherwise
	covers string    // what the parts come to, for those who do not think in letters
}

// rules are the inequalities that keep every verifier supplied.
func (t Timetable) rules() []rule {
	return []rule{
		{text: "P >= D+C+J+S", long: t.publish(), parts: []setting{t.serveStale(), t.cdn(), t.cache(), t.skew()},
			why: "a verifier could meet a token whose key it has not seen", covers: "the longest that a verifier can go without seeing a new key"},
		{text: "V >= X+S+T+L", long: t.retain(), parts: []setting{t.signStale(), t.skew(), t.maxTokenLife(), t.leeway()},
			why: "a verifier could lose a key before the key's last token has run out", covers: "the longest that a token can be accepted after its key has retired"},
		{text: "X < D", long: t.serveStale(), parts: []setting{t.signStale()}, strict: true,
			why: "a replica could sign with a key that it does not serve any more", covers: "the longest that a replica signs by itself"},
	}
}

// need is how long the long one must at least be.
func (r rule) need() (sum time.Duration) {
	for _, p := range r.parts {
		sum += p.d
	}
	return sum
}

// check returns nil where the rule is kept, else what to change and by how much.
func (r rule) check() error {
	need := r.need()
	switch {
	case r.strict && r.long.d <= need:
		return fmt.Errorf("%s (%s) is %s and must be longer than %s, or %s (%s); raise %s above %s or lower %s below %s",
			r.long.name, r.long.letter, spell(r.long.d), r.sum(), r.why, r.text,
			r.long.name, spell(need), r.parts[0].name, spell(r.long.d))
	case r.long.d < need:
		return fmt.Errorf("%s (%s) is %s and must be at least %s, or %s (%s: %s); raise %s by %s or lower one of the others",
			r.long.name, r.long.letter, spell(r.long.d), spell(need), r.why, r.text, r.sum(),
			r.long.name, spell(need-r.long.d))
	}
	return nil
}

// Margins says for each of the inequalities by how much it is kept, in a sentence.
func (t Timetable) Margins() []string {
	var all []string
	for _, r := range t.rules() {
		if r.check() == nil {
			all = append(all, r.margin())
		}
	}
	return all
}

func (r rule) margin() string {
	text := spell(r.long.d-r.need()) + " longer than"
	if r.long.d == r.need() {
		text = "just as long as"
	}
	return fmt.Sprintf("%s %s is %s %s (%s)", r.long.name, spell(r.long.d), text, r.covers, r.sum())
}

// VerifierBudget is the longest that a verifier may cache the key set and still have each key before
// it signs: what P leaves when the rest of D+C+J+S is taken from it. It may be more than J promises.
func (t Timetable) VerifierBudget() time.Duration {
	return t.Publish - t.ServeStale - t.EdgeCache - t.ClockSkew
}

// sum spells the parts out: keys.serve_stale 6h + keys.cdn 1h.
func (r rule) sum() string {
	parts := make([]string, len(r.parts))
	for i, p := range r.parts {
		parts[i] = p.String()
	}
	return strings.Join(parts, " + ")
}

// spell writes a duration as people write it in the configuration: 24h, 30d, 8h1m.
func spell(d time.Duration) string {
	const day = 24 * time.Hour
	if d >= 2*day && d%day == 0 {
		return fmt.Sprintf("%dd", d/day)
	}
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}
