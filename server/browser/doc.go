// Package browser keeps browsers signed in. The session of a browser is a session of its user like any other, of the built-in
// client syntax.BrowserClient: it is listed, ended and revoked like the rest, and the sessions that began from it end with it.
//
// The browser has a cookie that names the session, sealed, with how and when its user signed in. Each use looks the session up
// in the store, so that ending it, disabling the user or changing the password ends single sign-on everywhere at once. A session
// is not moved on by its use: it lasts for the idle time of sessions from the sign-in on.
//
// A second cookie is a random name of the browser, by which a form is bound to the browser that it was made for. Nothing is
// stored of it.
//
// A form has to come from a page of this server: CheckOrigin compares its Origin with the issuer.
//
// Both cookies are HttpOnly and SameSite=Lax, end with the browser, and have the prefix __Host-, so that no other host of the
// domain can set them. An issuer with plain http, which is on this machine alone, cannot have the prefix.
package browser
