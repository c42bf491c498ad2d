// Package ldap is an upstream.Source behind an LDAP directory, such as OpenLDAP or Active Directory (RFC 4511).
//
// A password is checked by a bind as the user. Either the user's entry is searched first, with a service account or
// anonymously, by a filter that holds the username; or the DN follows from the username by a template, and the entry is
// read after the bind. The username is escaped for its place (RFC 4515, RFC 4514), so it can be nothing but a value.
//
// An empty password never reaches the directory: a bind with a DN and no password is "unauthenticated" and succeeds at
// many servers (RFC 4513 §5.1.2). Referrals are not followed: they would take the password to a server that is not in
// the configuration. More than one entry for a username is no answer.
//
// Only a result that a directory gives about the user is a refusal: invalidCredentials, noSuchObject, invalidDNSyntax,
// inappropriateAuthentication, unwillingToPerform, constraintViolation and insufficientAccessRights, for the bind as the
// user. Active Directory puts a code behind "data" in the message: 533 is a disabled account, 775 a locked one, 532 an
// expired password, 773 one that must be changed, 701 an expired account. All of these are refusals, with their reason
// in the log and the audit trail, and none stores anything: Active Directory sends some of them for a wrong password too.
// A refused bind of the service account is no answer about the user.
//
// Each check has a connection of its own, with TLS (ldaps or StartTLS) unless the directory is on this machine. A
// connection reads at most 1 MiB.
package ldap
