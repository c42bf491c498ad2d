package page

import "time"

// sample is a page that New renders to find errors of its template.
type sample struct {
	page string
	data any
}

// samples returns pages with everything that a page can have, and with nothing.
func (p *Renderer) samples(l *locale) (list []sample) {
	add := func(page string, data ...any) {
		for _, d := range data {
			list = append(list, sample{page, d})
		}
	}
	hidden := []Field{{"name", "value"}}
	now := time.Unix(1_800_000_000, 0)
	for m := range messages {
		in, _ := p.signInView(l, SignIn{App: "App", Action: "/", Hidden: hidden, Username: "name", Message: m})
		own, _ := p.accountView(l, Account{Action: "/", Hidden: hidden, Message: m, More: 1, Now: now,
			Sessions: []Session{{ID: "1", Current: true}, {ID: "2", App: "App", Browser: "Firefox", System: "Linux", Address: "192.0.2.1", Used: now}}})
		add(pageSignIn, in)
		add(pageAccount, own)
	}
	bare, _ := p.signInView(l, SignIn{})
	again, _ := p.signInView(l, SignIn{Again: true, OtherURL: "/"})
	againApp, _ := p.signInView(l, SignIn{Again: true, App: "App"})
	own, _ := p.accountView(l, Account{Elsewhere: true})
	add(pageSignIn, bare, again, againApp)
	add(pageAccount, own)
	for kind := range kinds {
		few, _ := p.problemView(l, Problem{Kind: kind})
		full, _ := p.problemView(l, Problem{Kind: kind, RequestID: "id", Detail: "detail", RetryURL: "/"})
		add(pageProblem, few, full)
	}
	add(pageConfirmSignOut, p.confirmSignOutView(l, ConfirmSignOut{}), p.confirmSignOutView(l, ConfirmSignOut{Hidden: hidden, Username: "name", StayURL: "/"}))
	add(pageSignedOut, p.signedOutView(l, SignedOut{}), p.signedOutView(l, SignedOut{App: "App", AppURL: "/", AgainURL: "/"}))
	add(pageContinue, p.continueView(l, Continue{}), p.continueView(l, Continue{Action: "https://app.example.com", Hidden: hidden}))
	return list
}
