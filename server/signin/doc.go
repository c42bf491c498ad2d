// Package signin signs users in. It is the one place that decides a login; what asks it is a door: the password grant and
// the login page translate a request into a Login and the result into their answer, and decide nothing.
//
// A login is a small state machine:
//
//	identify ──▶ first factor ──▶ enough for this client? ──▶ signed in
//
// Identify finds the name under which the user would be stored. The first factor is the password: the throttle reserves
// places for the attempt, the password is checked against the hash here or at the upstream, and the attempt is counted. A
// password is all that a client can ask for today, so that the step after it begins the session.
//
// An unknown user, a wrong password and a disabled user get the same RefusedError after the same work.
//
// The throttle, the audit trail, the stronger hash and the mark of a breached password belong to the engine, so that they
// are the same whatever the door. A door that cannot hand out what the login was for takes it back with Abandon; one that
// can calls Confirm, which puts the login on the audit trail.
package signin
