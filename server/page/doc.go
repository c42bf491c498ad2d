// Package page renders what people see: the sign-in page, the account page, signing out, and errors for people.
//
// A Renderer has one method a page. Each takes a plain struct and returns the status, the headers and the HTML as
// an edge.Response. The package decides nothing: it has no store, no tokens and no sessions, and what stands in
// its structs may come from anybody. html/template escapes all of it.
//
// # Pages
//
// They work without scripts; the one script (submit.js) only presses the button of Continue. Styles, the logo and
// that script are resources of this server whose address has a hash of their content (see Asset), so the
// Content-Security-Policy of a page allows no inline code, no other host, no frame and no base. It allows form
// data to go to this server and to the places that the caller names: browsers apply form-action to redirects that
// follow a form as well (see FormTarget).
//
// The Referrer-Policy is same-origin, and not no-referrer: with the latter, browsers send Origin: null with our
// own forms, and a check of the origin would take them for those of other sites.
//
// # Texts
//
// Every text is in a language file, files/languages/TAG.json, under a key. A text with a number has a form for
// each plural of its language (Unicode TR35). The language is chosen by ui_locales (OpenID Connect Core
// §3.1.2.1), then by Accept-Language, then it is Config.Language. New checks that each key of each template is
// there in each language.
//
// # Replacing
//
// A directory can replace each file of files, and add languages. New refuses a file that it has no use for and a
// template that cannot be read, or cannot be executed with each page in each language. The error has the file and
// the line. A Renderer never changes: a server that reads its settings again makes a new one, and keeps the old
// one where that fails.
//
// Templates see the fields of the page's struct, and those of view.
package page
