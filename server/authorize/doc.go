// Package authorize is the authorization endpoint (RFC 6749 §4.1, RFC 9700, OpenID Connect Core §3.1.2) with the sign-in form
// behind it, and the endpoint for pushed authorization requests (RFC 9126).
//
// A request is checked in an order that never sends a browser where it should not go: first the client and the redirect URI,
// whose errors are a page for people; then everything else, whose errors go to the redirect URI, with state and iss (RFC 9207).
// A dependency that fails is a page too, so that a reload tries again; only with prompt=none, where no page is shown, it is sent on.
//
// Who is signed in with the browser (package browser) gets a code at once, unless prompt or max_age ask for more. Everybody else
// gets the sign-in page. What is in progress is a field of its form, sealed and bound to the random name that the browser has in
// a cookie: nothing is stored of a login that is abandoned, any replica can go on with it, two tabs do not disturb each other,
// and a form that was fetched with another browser does not work here. The request in it is checked again when the form comes back.
//
// prompt=login and select_account show the form to a user who is signed in, too. prompt=consent does nothing: all apps are the
// company's own, and no page asks for consent. display, claims and other parameters that are only wishes are ignored.
//
// acr_values asks for acr as a voluntary claim (OpenID Connect Core §3.1.2.1, §5.5.1.1): each id_token has the acr of its sign-in
// whatever was asked for, no value makes a sign-in stronger or weaker, and none that this server does not have is an error. An app
// that needs a value compares the claim.
//
// A pushed request is sealed in its request URI, for a minute. It is used up when it gets a code, not when the page is shown,
// so that a reload of the page does not end the login.
package authorize
