// Package logout is the endpoint to which apps send their users to sign them out (OpenID Connect RP-Initiated Logout 1.0).
//
// An app sends the id_token of its session as a hint. Then the session ends that it began from, which is that of the browser, and
// with it the sessions of all apps that began from there. An id_token that has expired is good enough, while the key that signed
// it is published: an app keeps it for as long as it keeps the user. It ends its session also when the request has no cookie of that
// session: the browser may have been closed since, and some apps make the request themselves, as oauth2-proxy does. Whoever has an
// id_token can only end its session with it, and the user signs in again. Without a hint, or with one of another user than who is signed in
// with the browser, a page asks first: any site can send a browser here.
//
// The browser goes back to the app only where the app is certain, by the hint or by client_id, and where the URI is one of the
// app's post_logout_redirect_uris, to the letter but for the port of a loopback address, which an app on the user's machine is given
// by its system. Errors are pages for people; nothing ends with them.
//
// The question is a form, whose content is sealed and bound to the browser and its session.
package logout
