// Package accountpage is the page of a user's own account, at /account: it lists the user's sessions, ends them, and
// changes the password. Who is not signed in with the browser signs in there first, without an app.
//
// The session of the browser (package browser) is all that is needed to see sessions and to end them. A new password
// takes the current one as well, which the sign-in engine checks: it counts against the same limits as a login. The
// new password ends every session, as one that an operator sets does, and the browser is then signed in anew with it.
//
// # Forms
//
// A form has a token that is bound to the random name of the browser and to its session, and runs out after an hour.
// What another site sends is refused before anything is looked at (net/http.CrossOriginProtection). A page is the
// answer to its form: there is no address that shows a message, which a link could have.
package accountpage
