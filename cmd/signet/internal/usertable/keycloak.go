package usertable

import (
	"encoding/base32"
	"strconv"
	"strings"

	"signet/server/admin/api"
)

// passwordFields are those of a credential that the server reads: since version 8 the first two.
var passwordFields = []string{"secretData", "credentialData", "hashedSaltedValue", "salt", "hashIterations", "algorithm"}

// convertKeycloak takes the password and the one-time passwords out of the credentials. An account of a service is left
// out.
func convertKeycloak(_ *Reader, rec map[string]any, u *api.UserRecord, row *Row) error {
	if first(rec, []string{"serviceAccountClientId"}) != "" {
		return errLeftOut
	}
	list, _ := rec["credentials"].([]any)
	for _, item := range list {
		credential, ok := item.(map[string]any)
		if !ok {
			continue
		}
		switch kind := text(credential["type"]); kind {
		case "password":
			only := map[string]any{}
			for _, name := range passwordFields {
				if v := credential[name]; v != nil {
					only[name] = v
				}
			}
			u.PasswordHash = marshal(only)
		case "otp", "totp", "hotp":
			if f, ok := keycloakFactor(kind, credential); ok {
				row.Factors = append(row.Factors, f)
			}
		}
	}
	return nil
}

// keycloakFactor reads a credential of one-time passwords. Keycloak uses the bytes of the secret's text as the key,
// unless it states that the text is base32.
func keycloakFactor(kind string, credential map[string]any) (Factor, bool) {
	field := func(names ...string) string { return first(credential, names) }
	f := Factor{Type: field("credentialData.subType"), Algorithm: field("credentialData.algorithm", "algorithm"), Label: field("userLabel")}
	if f.Type == "" {
		f.Type = kind
	}
	if f.Type == "otp" {
		f.Type = "totp"
	}
	f.Algorithm = strings.TrimPrefix(f.Algorithm, "Hmac")
	if f.Algorithm == "" {
		f.Algorithm = "SHA1"
	}
	f.Digits = number(field("credentialData.digits", "digits"), 6)
	if f.Type == "totp" {
		f.Period = number(field("credentialData.period", "period"), 30)
	} else {
		f.Counter = int64(number(field("credentialData.counter", "counter"), 0))
	}
	secret := field("secretData.value", "value")
	if secret == "" {
		return f, false
	}
	if strings.EqualFold(field("credentialData.secretEncoding"), "BASE32") {
		f.Secret = strings.TrimRight(secret, "=")
	} else {
		f.Secret = base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString([]byte(secret))
	}
	return f, true
}

func number(s string, otherwise int) int {
	if n, err := strconv.Atoi(s); err == nil {
		return n
	}
	return otherwise
}
