// Package account has what logins and the admin API both need of user records: the spelling under which a name is stored,
// the claims that a user can have, and a sample of the formats of password hashes.
package account
