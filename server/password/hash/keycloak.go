package hash

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
)

// keycloakCredential is a credential of type "password" in Keycloak's export of a realm. Before Keycloak 8 the
// fields lay in the credential itself.
type keycloakCredential struct {
	SecretData     keycloakJSON[keycloakSecret] `json:"secretData"`
	CredentialData keycloakJSON[keycloakCosts]  `json:"credentialData"`

	Tag        string `json:"hashedSaltedValue"`
	Salt       string `json:"salt"`
	Iterations uint64 `json:"hashIterations"`
	Algorithm  string `json:"algorithm"`
}

type keycloakSecret struct {
	Tag  string `json:"value"`
	Salt string `json:"salt"`
}

type keycloakCosts struct {
	Iterations uint64              `json:"hashIterations"`
	Algorithm  string              `json:"algorithm"`
	Additional map[string][]string `json:"additionalParameters"`
}

// keycloakJSON is an object, or a string that holds one.
type keycloakJSON[T any] struct{ value T }

func (j *keycloakJSON[T]) UnmarshalJSON(b []byte) error {
	var inner string
	if json.Unmarshal(b, &inner) == nil {
		b = []byte(inner)
	}
	return json.Unmarshal(b, &j.value)
}

// readKeycloak reads the JSON of a credential.
func readKeycloak(text string) (Hash, error) {
	var c keycloakCredential
	if json.Unmarshal([]byte(text), &c) != nil {
		return nil, errors.New("not the JSON of a credential with secretData and credentialData")
	}
	secret, costs := c.SecretData.value, c.CredentialData.value
	if costs.Algorithm == "" {
		secret, costs = keycloakSecret{c.Tag, c.Salt}, keycloakCosts{Iterations: c.Iterations, Algorithm: c.Algorithm}
	}
	salt, err := decode(base64.StdEncoding, secret.Salt, 1)
	if err != nil {
		return nil, fmt.Errorf("salt: %w", err)
	}
	tag, err := decode(base64.StdEncoding, secret.Tag, minTagSize)
	if err != nil {
		return nil, fmt.Errorf("value: %w", err)
	}
	switch costs.Algorithm {
	case "pbkdf2":
		return newPBKDF2(pbkdf2SHA1, costs.Iterations, salt, tag)
	case "pbkdf2-sha256":
		return newPBKDF2(pbkdf2SHA256, costs.Iterations, salt, tag)
	case "pbkdf2-sha512":
		return newPBKDF2(pbkdf2SHA512, costs.Iterations, salt, tag)
	case "argon2":
		return costs.argon2(salt, tag)
	}
	return nil, errors.New("its algorithm is not pbkdf2, pbkdf2-sha256, pbkdf2-sha512 or argon2")
}

func (c keycloakCosts) argon2(salt, tag []byte) (Hash, error) {
	one := func(name string) string {
		if list := c.Additional[name]; len(list) == 1 {
			return list[0]
		}
		return ""
	}
	if one("version") != "1.3" {
		return nil, errors.New("argon2: version is not 1.3")
	}
	b64 := base64.RawStdEncoding
	return parseArgon2(fmt.Sprintf("$argon2%s$v=19$m=%s,t=%s,p=%s$%s$%s", one("type"), one("memory"), strconv.FormatUint(c.Iterations, 10), one("parallelism"),
		b64.EncodeToString(salt), b64.EncodeToString(tag)))
}
