package page

import (
	"net/http"
	"time"

	"signet/server/edge"
)

// Kind is what went wrong, as far as people are told.
type Kind uint8

// The kinds of Problem.
const (
	BadRequest    Kind = iota // of the app that sent the user here
	Expired                   // the page was open for too long, or was used
	CookiesNeeded             // the browser has not sent the cookie back
	Forged                    // the form comes from another site
	TooMany                   // too many failed attempts: Problem.Wait
	NotFound                  // there is no such page
	Unavailable               // something that is needed does not answer
	Internal                  // a bug
)

// kinds has the last part of the keys and the status of each Kind.
var kinds = map[Kind]struct {
	key    string
	status int
}{
	BadRequest:    {"request", http.StatusBadRequest},
	Expired:       {"expired", http.StatusBadRequest},
	CookiesNeeded: {"cookies", http.StatusBadRequest},
	Forged:        {"forged", http.StatusForbidden},
	TooMany:       {"slow_down", http.StatusTooManyRequests},
	NotFound:      {"not_found", http.StatusNotFound},
	Unavailable:   {"unavailable", http.StatusServiceUnavailable},
	Internal:      {"internal", http.StatusInternalServerError},
}

// Problem is an error for people. It is shown where no app can be told: its redirect URI is not certain, or no
// app is involved.
type Problem struct {
	Reader
	Kind      Kind
	Status    int           // 0: that of Kind
	RequestID string        // the reference that a person can give to the operator
	Detail    string        // for the developer of the app, in English; empty: none
	RetryURL  string        // of a link to try again; empty: none
	Wait      time.Duration // of TooMany; sent as Retry-After too
}

// ProblemOf returns the Problem of an error of the edge.
func ProblemOf(e *edge.Error) Problem {
	pr := Problem{Kind: BadRequest, Status: e.Status, Wait: e.RetryAfter}
	switch {
	case e.Status == http.StatusTooManyRequests:
		pr.Kind = TooMany
	case e.Status == http.StatusNotFound:
		pr.Kind = NotFound
	case e.Status == http.StatusServiceUnavailable:
		pr.Kind = Unavailable
	case e.Status >= http.StatusInternalServerError:
		pr.Kind = Internal
	default:
		pr.Detail = e.Description
	}
	return pr
}

type problemView struct {
	view
	Problem
	Heading string
	Words   string
}

// Problem renders an error for people.
func (p *Renderer) Problem(pr Problem) edge.Response {
	data, status := p.problemView(p.languages.choose(pr.UILocales, pr.AcceptLanguage), pr)
	return p.render(pageProblem, data.view, data, response{status: status, retry: pr.Wait})
}

func (p *Renderer) problemView(l *locale, pr Problem) (problemView, int) {
	known, ok := kinds[pr.Kind]
	if !ok {
		known = kinds[Internal]
	}
	status := pr.Status
	if status == 0 {
		status = known.status
	}
	heading := "problem.heading." + known.key
	return problemView{view: p.view(l, pageProblem, heading, note{IsError: true}), Problem: pr, Heading: l.get(heading),
		Words: l.get("problem.text."+known.key, "time", l.wait(pr.Wait))}, status
}
