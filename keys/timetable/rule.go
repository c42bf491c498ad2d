package timetable

import (
	"fmt"
	"strings"
	"time"
)

// Term names a duration of a Timetable as the configuration does.
type Term string

// The terms. TermPoll is how often a replica reads the keyring.
const (
	TermCache        Term = "cache"
	TermCDN          Term = "cdn"
	TermSkew         Term = "skew"
	TermMaxTokenLife Term = "max_token_life"
	TermLeeway       Term = "leeway"
	TermSignStale    Term = "sign_stale"
	TermServeStale   Term = "serve_stale"
	TermPublish      Term = "publish"
	TermActive       Term = "active"
	TermRetain       Term = "retain"
	TermPoll         Term = "poll"
)

// terms are those of a Timetable.
var terms = []Term{TermCache, TermCDN, TermSkew, TermMaxTokenLife, TermLeeway, TermSignStale, TermServeStale, TermPublish, TermActive, TermRetain}

// Of returns the duration of that name; zero for TermPoll, which is not part of a Timetable.
func (t Timetable) Of(term Term) time.Duration {
	return map[Term]time.Duration{
		TermCache: t.Cache, TermCDN: t.CDN, TermSkew: t.Skew, TermMaxTokenLife: t.MaxTokenLife, TermLeeway: t.Leeway,
		TermSignStale: t.SignStale, TermServeStale: t.ServeStale, TermPublish: t.Publish, TermActive: t.Active, TermRetain: t.Retain,
	}[term]
}

// Rule is a condition on one duration. With Outlasts it is an inequality; without, a range.
type Rule struct {
	Term     Term
	Outlasts []Term // Term must be at least as long as these together
	Strict   bool   // longer, not only as long
}

// Rules are the inequalities that keep every verifier supplied with keys.
var Rules = []Rule{
	{Term: TermPublish, Outlasts: []Term{TermServeStale, TermCDN, TermCache, TermSkew}},
	{Term: TermRetain, Outlasts: []Term{TermSignStale, TermSkew, TermMaxTokenLife, TermLeeway}},
	{Term: TermServeStale, Outlasts: []Term{TermSignStale}, Strict: true},
}

// String returns the rule as a formula.
func (r Rule) String() string {
	sign := " >= "
	if r.Strict {
		sign = " > "
	}
	if len(r.Outlasts) == 0 {
		return string(r.Term) + sign + "0"
	}
	parts := make([]string, len(r.Outlasts))
	for i, term := range r.Outlasts {
		parts[i] = string(term)
	}
	return string(r.Term) + sign + strings.Join(parts, " + ")
}

// RuleError is a rule that is broken. It has the numbers; package config words it.
type RuleError struct {
	Rule
	Have time.Duration // the value of Term
	Need time.Duration // the least that it may be, or must exceed if Strict
	Most time.Duration // the most that it may be; zero: no limit
}

// Error implements error.
func (e *RuleError) Error() string {
	if e.Most > 0 {
		return fmt.Sprintf("%s is %v; it must be positive and at most %v", e.Term, e.Have, e.Most)
	}
	return fmt.Sprintf("%s is %v; %s needs %v", e.Term, e.Have, e.Rule, e.Need)
}

// Margin is by how much a timetable keeps a rule.
type Margin struct {
	Rule
	Have time.Duration // the value of Term
	Need time.Duration // that of the terms it must outlast, together
}

func (m Margin) kept() bool { return m.Have > m.Need || m.Have == m.Need && !m.Strict }

// Margin compares both sides of an inequality.
func (t Timetable) Margin(rule Rule) Margin {
	m := Margin{Rule: rule, Have: t.Of(rule.Term)}
	for _, term := range rule.Outlasts {
		m.Need += t.Of(term)
	}
	return m
}

// Margins returns the margin of each inequality that the timetable keeps.
func (t Timetable) Margins() []Margin {
	var all []Margin
	for _, rule := range Rules {
		if m := t.Margin(rule); m.kept() {
			all = append(all, m)
		}
	}
	return all
}
