package config

import (
	"errors"
	"fmt"
	"strings"

	"signet/config/duration"
	"signet/keys/timetable"
)

// Timetable returns the timetable of the signing keys.
func (k Keys) Timetable() timetable.Timetable {
	return timetable.Timetable{
		Cache: k.Cache, CDN: k.CDN, Skew: k.Skew, MaxTokenLife: k.MaxTokenLife, Leeway: k.Leeway,
		SignStale: k.SignStale, ServeStale: k.ServeStale, Publish: k.Publish, Active: k.Active, Retain: k.Retain,
	}
}

// CheckTimetable returns nil, or every rule of the timetable that is broken, with the settings to change. It is
// not part of Validate.
func (k Keys) CheckTimetable() error {
	tt := k.Timetable()
	var problems []error
	for _, err := range []error{tt.Validate(), tt.CheckPoll(k.Poll)} {
		for _, broken := range ruleErrors(err) {
			problems = append(problems, errors.New(ruleText(tt, broken)))
		}
	}
	return errors.Join(problems...)
}

// ruleErrors returns the parts of a joined error.
func ruleErrors(err error) (all []*timetable.RuleError) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, part := range joined.Unwrap() {
			all = append(all, ruleErrors(part)...)
		}
	} else if one, ok := errors.AsType[*timetable.RuleError](err); ok {
		all = append(all, one)
	}
	return all
}

// ruleWords explains an inequality of the timetable.
type ruleWords struct {
	breaks string // what happens if it is broken
	covers string // what the shorter side is
}

var wordsOfRules = map[timetable.Term]ruleWords{
	timetable.TermPublish:    {"a verifier could meet a token whose key it has not seen", "the longest that a verifier can go without seeing a new key"},
	timetable.TermRetain:     {"a verifier could lose a key before the key's last token has run out", "the longest that a token can be accepted after its key has retired"},
	timetable.TermServeStale: {"a replica could sign with a key that it does not serve any more", "the longest that a replica signs by itself"},
}

func settingOf(term timetable.Term) string { return "keys." + string(term) }

// ruleText words a broken rule, with the names of the settings.
func ruleText(tt timetable.Timetable, e *timetable.RuleError) string {
	name, have, need := settingOf(e.Term), duration.Format(e.Have), duration.Format(e.Need)
	switch {
	case e.Term == timetable.TermPoll:
		return fmt.Sprintf("%s is %s and must be positive and at most half of %s (%s): lower the one or raise the other",
			name, have, settingOf(timetable.TermSignStale), duration.Format(tt.SignStale))
	case e.Most > 0:
		return fmt.Sprintf("%s is %s and must be at most %s", name, have, duration.Format(e.Most))
	case len(e.Outlasts) == 0:
		return fmt.Sprintf("%s is %s and must be positive", name, have)
	case e.Strict:
		return fmt.Sprintf("%s is %s and must be longer than %s, or %s; raise %s above %s or lower %s below %s",
			name, have, sumText(tt, e.Rule), wordsOfRules[e.Term].breaks, name, need, settingOf(e.Outlasts[0]), have)
	default:
		return fmt.Sprintf("%s is %s and must be at least %s, or %s (%s); raise %s by %s or lower one of the others",
			name, have, need, wordsOfRules[e.Term].breaks, sumText(tt, e.Rule), name, duration.Format(e.Need-e.Have))
	}
}

// sumText writes the shorter side of an inequality: keys.serve_stale 6h + keys.cdn 1h.
func sumText(tt timetable.Timetable, rule timetable.Rule) string {
	parts := make([]string, len(rule.Outlasts))
	for i, term := range rule.Outlasts {
		parts[i] = settingOf(term) + " " + duration.Format(tt.Of(term))
	}
	return strings.Join(parts, " + ")
}

// TimetableMargins returns a sentence for each inequality of the timetable that is kept, with by how much.
func (k Keys) TimetableMargins() (all []string) {
	tt := k.Timetable()
	for _, m := range tt.Margins() {
		text := duration.Format(m.Have-m.Need) + " longer than"
		if m.Have == m.Need {
			text = "just as long as"
		}
		all = append(all, fmt.Sprintf("%s %s is %s %s (%s)", settingOf(m.Term), duration.Format(m.Have), text, wordsOfRules[m.Term].covers, sumText(tt, m.Rule)))
	}
	return all
}
