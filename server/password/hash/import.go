package hash

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ImportOptions are the rules of an import.
type ImportOptions struct {
	Caps      Caps // what a hash may cost
	AllowWeak bool // accepts unsalted digests and passwords in clear
}

// spelling is a way of other programs to write a hash that is stored in another way.
type spelling struct {
	scheme string // by which an import names it
	prefix string // "" where the text does not show its scheme, which must then be named
	shared bool   // other schemes begin the same way, so that it must be named
	read   func(text string) (Hash, error)
}

func spellings() []spelling {
	var list []spelling
	for _, f := range formats() {
		list = append(list, spelling{f.scheme, f.prefix, false, f.parse})
	}
	return append(list,
		spelling{"bcrypt-sha256", "$bcrypt-sha256$", false, readPasslibBcrypt},
		spelling{"devise", "$2", true, readDevise},
		spelling{"pbkdf2", "$pbkdf2$i=", false, readPHCPBKDF2},
		spelling{"pbkdf2", "$pbkdf2-sha1$i=", false, readPHCPBKDF2},
		spelling{"pbkdf2", "$pbkdf2-sha256$i=", false, readPHCPBKDF2},
		spelling{"pbkdf2", "$pbkdf2-sha512$i=", false, readPHCPBKDF2},
		spelling{"wordpress", "$wp$2", false, readWordPressBcrypt},
		spelling{"wordpress", "$P$", true, readWordPressPhpass},
		spelling{"wordpress", "$2y$", true, parseBcrypt},
		spelling{"wordpress", "$argon2", true, parseArgon2},
		spelling{"wordpress", "", true, readBare("md5")},
		spelling{"supabase", "$fbscrypt$", true, parseFirebase},
		spelling{"supabase", "$2", true, parseBcrypt},
		spelling{"supabase", "$argon2", true, parseArgon2},
		spelling{"firebase", "$fbscrypt$", true, readFirebase},

		spelling{"django", "pbkdf2_sha256$", false, readDjangoPBKDF2},
		spelling{"django", "pbkdf2_sha1$", false, readDjangoPBKDF2},
		spelling{"django", "bcrypt_sha256$$", false, readDjangoBcrypt},
		spelling{"django", "bcrypt$$", false, readDjangoBcrypt},
		spelling{"django", "scrypt$", false, readDjangoScrypt},
		spelling{"django", "argon2$argon2", false, func(text string) (Hash, error) { return parseArgon2(strings.TrimPrefix(text, "argon2")) }},
		spelling{"django", "md5$", true, readDjangoDigest},
		spelling{"django", "sha1$", true, readDjangoDigest},

		spelling{"werkzeug", "pbkdf2:", false, readWerkzeugPBKDF2},
		spelling{"werkzeug", "scrypt:", false, readWerkzeugScrypt},
		spelling{"werkzeug", "md5$", true, readWerkzeugDigest},
		spelling{"werkzeug", "sha1$", true, readWerkzeugDigest},
		spelling{"werkzeug", "sha256$", true, readWerkzeugDigest},
		spelling{"werkzeug", "sha512$", true, readWerkzeugDigest},

		spelling{"spring", "{bcrypt}", false, braced(parseBcrypt)},
		spelling{"spring", springPBKDF2, false, readSpringPBKDF2},
		spelling{"spring", springPBKDF2v58, false, readSpringPBKDF2},
		spelling{"spring", springScrypt, false, readSpringScrypt},
		spelling{"spring", springScryptv58, false, readSpringScrypt},
		spelling{"spring", "{argon2}", false, braced(parseArgon2)},
		spelling{"spring", "{argon2@SpringSecurity_v5_8}", false, braced(parseArgon2)},
		spelling{"spring", "{noop}", false, braced(readPlain)},
		spelling{"spring", "{ldap}", false, braced(readLDAPDigest)},
		spelling{"spring", "{MD5}", false, readSpringDigest},
		spelling{"spring", "{SHA-1}", false, readSpringDigest},
		spelling{"spring", "{SHA-256}", false, readSpringDigest},
		spelling{"spring", "{SHA-512}", false, readSpringDigest},
		spelling{"spring", "{sha256}", false, readSpringSHA256},

		spelling{"ldap", "{PBKDF2", false, readLDAPPBKDF2},
		spelling{"ldap", "{SSHA}", false, readLDAPDigest},
		spelling{"ldap", "{SSHA256}", false, readLDAPDigest},
		spelling{"ldap", "{SSHA512}", false, readLDAPDigest},
		spelling{"ldap", "{SMD5}", false, readLDAPDigest},
		spelling{"ldap", "{MD5}", false, readLDAPDigest},
		spelling{"ldap", "{SHA}", false, readLDAPDigest},
		spelling{"ldap", "{SHA256}", false, readLDAPDigest},
		spelling{"ldap", "{SHA512}", false, readLDAPDigest},
		spelling{"ldap", "{CRYPT}", false, readLDAPCrypt},
		spelling{"ldap", "{ARGON2}", false, braced(parseArgon2)},
		spelling{"ldap", "{CLEARTEXT}", false, braced(readPlain)},

		spelling{"keycloak", `{"`, false, readKeycloak},
		spelling{"aspnet", "", true, readASPNET},
		spelling{"better-auth", "", true, readBetterAuth},
		spelling{"lucia", "s2:", false, readBetterAuth},
		spelling{"lucia", "", true, readBetterAuth},
		spelling{"lucia-legacy", "", true, readLuciaLegacy},

		spelling{"md5", "", true, readBare("md5")},
		spelling{"sha1", "", true, readBare("sha1")},
		spelling{"sha256", "", true, readBare("sha256")},
		spelling{"sha512", "", true, readBare("sha512")},
		spelling{"plain", "", true, readPlain},
	)
}

// braced reads what stands behind a name in braces.
func braced(read func(string) (Hash, error)) func(string) (Hash, error) {
	return func(text string) (Hash, error) {
		_, rest, _ := strings.Cut(text, "}")
		return read(rest)
	}
}

// matches reports whether the text may be of this spelling. Names in braces have no case (RFC 2307).
func (s spelling) matches(scheme, text string) bool {
	if s.scheme != scheme && (scheme != "" || s.shared) {
		return false
	}
	if strings.HasPrefix(s.prefix, "{") {
		return len(text) >= len(s.prefix) && strings.EqualFold(text[:len(s.prefix)], s.prefix)
	}
	return strings.HasPrefix(text, s.prefix)
}

// Schemes returns the names that an import can give a hash, sorted.
func Schemes() []string {
	var names []string
	for _, s := range spellings() {
		names = append(names, s.scheme)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// maxImport bounds what is read, in bytes: a credential of Keycloak is JSON inside JSON.
const maxImport = 4096

// Import returns the spelling under which a hash of another program is stored, unless NeedsWrap reports that Wrap comes
// first. An empty scheme means that the text shows its scheme. Errors are ErrFormat and never show the hash: unknown, damaged
// or ambiguous text, another scheme than the named one, costs above the caps, or a hash without a salt without AllowWeak.
func Import(scheme, text string, o ImportOptions) (stored string, err error) {
	if len(text) > maxImport {
		return "", fmt.Errorf("%w: longer than %d bytes", ErrFormat, maxImport)
	}
	h, err := read(scheme, text)
	if err != nil {
		return "", fmt.Errorf("%w: %w", ErrFormat, err)
	}
	stored = h.String()
	if unsalted(stored) {
		if !o.AllowWeak {
			return "", fmt.Errorf("%w: it has no salt, or is a password in clear: it comes in with allow_weak=true alone, and is then hashed again", ErrFormat)
		}
		return stored, nil
	}
	if err := o.Caps.Check(h); err != nil {
		return "", err
	}
	if _, err := Parse(stored); err != nil { // nothing is stored that cannot be read
		return "", err
	}
	return stored, nil
}

func read(scheme, text string) (Hash, error) {
	var first error
	named, longest := false, 0
	for _, s := range spellings() {
		named = named || s.scheme == scheme
		if !s.matches(scheme, text) {
			continue
		}
		h, err := s.read(text)
		if err == nil {
			return h, nil
		}
		name := cmp.Or(strings.Trim(s.prefix, "${}:-"), s.scheme)
		if first == nil || len(s.prefix) > longest { // the closest spelling has the best message
			first, longest = fmt.Errorf("%s: %w", name, err), len(s.prefix)
		}
	}
	switch {
	case first != nil:
		return nil, first
	case scheme == "":
		return nil, errors.New(unnamed(text))
	case !named:
		return nil, errors.New("unknown hash_scheme; " + names)
	}
	return nil, fmt.Errorf("it is not spelled like a hash of %s", scheme)
}

// names is where the names of schemes are. An import has a reason for each line, and a list in each would hide the others.
const names = "deploy/migration.md has the names"

// digests are hexadecimal digits by their number, and what is likely to have made them.
var digests = map[int]string{32: "md5", 40: "sha1", 64: "sha256", 128: "sha512"}

// unnamed is the reason to refuse a hash that nothing names.
func unnamed(text string) string {
	if scheme := digests[len(text)]; scheme != "" && strings.Trim(text, "0123456789abcdefABCDEF") == "" {
		return fmt.Sprintf("it may be a %s without a salt: hash_scheme=%s and allow_weak=true take it as that. If another program made it, name that with hash_scheme; %s", scheme, scheme, names)
	}
	return "its beginning does not show which program made it: name that with hash_scheme; " + names
}
