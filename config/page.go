package config

import (
	"net/url"
	"strings"
	"unicode/utf8"

	"signet/server/page/palette"
	"signet/server/syntax"
)

// maxCompany is how many characters the name of the company may have. A longer one does not fit on a phone.
const maxCompany = 60

func (p Page) check(k *checker) {
	if utf8.RuneCountInString(p.Company) > maxCompany || strings.ContainsFunc(p.Company, func(c rune) bool { return c < ' ' || c == utf8.RuneError }) {
		k.add("page.company", "is longer than %d characters, or has a line break in it; write a shorter name", maxCompany)
	}
	if p.LogoDark != "" && p.Logo == "" {
		k.add("page.logo_dark", "page.logo is empty; set it too, or page.logo in place of page.logo_dark")
	}
	for _, c := range []struct{ name, text string }{
		{"accent", p.Colors.Accent}, {"accent_dark", p.Colors.AccentDark},
		{"background", p.Colors.Background}, {"background_dark", p.Colors.BackgroundDark},
	} {
		if c.text == "" {
			continue
		}
		if _, err := palette.Parse(c.text); err != nil {
			k.add("page.colors."+c.name, "%s", err)
		}
	}
	for _, l := range []struct{ name, url string }{
		{"forgot_password", p.Links.ForgotPassword}, {"help", p.Links.Help}, {"privacy", p.Links.Privacy}, {"terms", p.Links.Terms}, {"imprint", p.Links.Imprint},
	} {
		if l.url != "" {
			checkLink(k, "page.links."+l.name, l.url)
		}
	}
}

// checkLink allows what a page of the company can be at. http is for one on this machine.
func checkLink(k *checker, field, link string) {
	u, err := url.Parse(link)
	switch {
	case err == nil && u.Scheme == "mailto" && strings.Contains(u.Opaque, "@"):
	case err == nil && u.Host != "" && u.User == nil && (u.Scheme == "https" || u.Scheme == "http" && syntax.Loopback(u.Hostname())):
	default:
		k.add(field, "%q is not an address to link to; write it like https://www.example.com/help or mailto:help@example.com", link)
	}
}

// Palette returns the colours for the package that renders the pages.
func (c PageColors) Palette() palette.Settings {
	return palette.Settings{Accent: c.Accent, AccentDark: c.AccentDark, Background: c.Background, BackgroundDark: c.BackgroundDark}
}

// warnings are about colours that cannot be read.
func (p Page) warnings() (list []Warning) {
	for _, text := range p.Colors.Palette().Warnings("page.colors.") {
		list = append(list, Warning(text))
	}
	return list
}
