// Package hash reads and checks stored password hashes, those that Signet writes (argon2id) and those of other
// programs.
//
// What it promises:
//
//   - A stored hash is one string with its format and costs inside. Parse accepts one spelling of each hash,
//     and String returns it. Import reads the spellings of other programs and returns what is stored.
//   - Parse and Import are quick whatever the hash asks for, and refuse costs that no cap may allow. Caps.Check
//     refuses what costs more than an operator allows; Import does so too.
//   - Nothing is stored on a guess: a spelling that several programs use must be named, and a hash that is not
//     spelled like the named one is refused.
//   - Nothing that is fast to guess is stored by default. Every hash that takes less than a sixteenth of the work of a new one
//     (2432 KiB × passes of argon2; fewer than 9,700 iterations of PBKDF2-SHA-256 with a tag of 32 bytes), other than argon2 and
//     bcrypt, is wrapped in argon2id first.
//   - Digests without a salt, and passwords in clear, are taken only where that is allowed.
//   - Comparison takes the same time wherever two hashes differ. No error contains a hash or a password.
//
// So these are wrapped: every digest that is made once, with a salt or without; md5-crypt, $apr1$, phpass of up to 2^13 rounds,
// sha-crypt of 5000 rounds, version 2 of ASP.NET Identity, and any PBKDF2 or scrypt with unusually low costs. argon2 and bcrypt are
// stored as they come, because a graphics card gains little on them. An operator may have those with a salt and many steps (not the
// digests that are made once) wrapped later, when the pool has time: see MayWait. Hashes that earlier versions stored without that stay as
// they are until the next login.
//
// What is read, by the name that hash_scheme gives it where the spelling alone does not show it:
//
//	argon2         $argon2id$v=19$m=…,t=…,p=…$salt$tag, $argon2i$, $argon2d$ (libsodium, argon2-cffi, pwdlib, PHP)
//	bcrypt         $2a$ $2b$ $2y$, and $2x$ with its sign extension bug
//	bcrypt-sha256  passlib's $bcrypt-sha256$, versions 1 and 2
//	devise         $2a$… of the password and a pepper behind it; must be named
//	pbkdf2         passlib's $pbkdf2$ (SHA-1), $pbkdf2-sha256$, $pbkdf2-sha512$, and PHC strings ($pbkdf2-sha256$i=…,l=…$)
//	scrypt         passlib's $scrypt$ln=…,r=…,p=…$
//	crypt          $1$, $apr1$, $5$, $6$, $y$ (yescrypt as libxcrypt writes it)
//	phpass         $P$, $H$
//	drupal         $S$, U$S$
//	wordpress      $wp$2y$ (since 6.8); $P$ where it is named, which then has WordPress's backslashes before quotes,
//	               and bare MD5
//	django         pbkdf2_sha256$ pbkdf2_sha1$ bcrypt_sha256$$ bcrypt$$ scrypt$ argon2$; md5$ and sha1$ must be named
//	werkzeug       pbkdf2:sha256:n$ scrypt:n:r:p$; md5$ sha1$ sha256$ sha512$ must be named
//	spring         {bcrypt} {pbkdf2} {scrypt} {argon2}, the last three also with @SpringSecurity_v5_8, {sha256}, {ldap},
//	               {MD5} {SHA-1} {SHA-256} {SHA-512} with or without salt, {noop}
//	ldap           {SSHA} {SSHA256} {SSHA512} {SMD5} {CRYPT} {PBKDF2…} {ARGON2}; {SHA} {MD5} {CLEARTEXT} are weak
//	keycloak       the JSON of a credential, with secretData and credentialData
//	aspnet         base64 of ASP.NET Identity, versions 2 and 3; must be named
//	firebase       $fbscrypt$v=1,n=mem_cost,r=rounds,p=1,ss=separator,sk=signer key$salt$hash, as Supabase spells it
//	supabase       $fbscrypt$, bcrypt and argon2
//	better-auth    salt:key; must be named
//	lucia          s2:salt:key; salt:key must be named, as lucia-legacy where it is Lucia 1's
//	md5 sha1 sha256 sha512 plain    bare hexadecimal digits, and clear text; weak, and must be named
//
// Not read, because nothing that is kept well has them: DES crypt, argon2 of version 1.0, bcrypt without a letter
// ($2$), and spellings without costs.
//
// A new format is a file, and a row in format.go for what is stored or in import.go for how others spell it.
package hash
