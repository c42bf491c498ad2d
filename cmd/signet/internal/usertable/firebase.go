package usertable

import (
	"encoding/base64"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"signet/server/admin/api"
)

// firebaseConfig has the parameters of a project's password hashes.
type firebaseConfig struct{ signer, separator, rounds, memory string }

var configMember = regexp.MustCompile(`["']?(\w+)["']?\s*[:=]\s*["']?([\w+/=-]+)["']?`)

// parseFirebaseConfig reads hash_config { algorithm: SCRYPT, base64_signer_key: …, … } or the same as JSON.
func parseFirebaseConfig(text string) (*firebaseConfig, error) {
	members := map[string]string{}
	for _, m := range configMember.FindAllStringSubmatch(text, -1) {
		members[strings.ToLower(m[1])] = m[2]
	}
	if a := members["algorithm"]; a != "" && !strings.EqualFold(a, "SCRYPT") {
		return nil, fmt.Errorf("the hash_config is for %s; users of that kind come in with --hash-scheme", a)
	}
	c := &firebaseConfig{standardBase64(members["base64_signer_key"]), standardBase64(members["base64_salt_separator"]), members["rounds"], members["mem_cost"]}
	for name, value := range map[string]string{"base64_signer_key": c.signer, "base64_salt_separator": c.separator} {
		if _, err := base64.StdEncoding.DecodeString(value); err != nil || value == "" {
			return nil, fmt.Errorf("the hash_config has no %s in base64", name)
		}
	}
	for name, value := range map[string]string{"rounds": c.rounds, "mem_cost": c.memory} {
		if n, err := strconv.Atoi(value); err != nil || n < 1 || n > 64 {
			return nil, fmt.Errorf("the hash_config has no %s", name)
		}
	}
	return c, nil
}

func standardBase64(s string) string { return strings.NewReplacer("-", "+", "_", "/").Replace(s) }

// hash is the hash with its parameters, as Supabase writes it.
func (c *firebaseConfig) hash(salt, tag string) string {
	return fmt.Sprintf("$fbscrypt$v=1,n=%s,r=%s,p=1,ss=%s,sk=%s$%s$%s", c.memory, c.rounds, c.separator, c.signer, standardBase64(salt), standardBase64(tag))
}

// ErrNoHashConfig ends a table: none of its passwords could be checked.
var ErrNoHashConfig = errors.New("the users have hashes that need the project's parameters: put the hash_config of the console into a file, and name it with --hash-config")

func convertFirebase(r *Reader, rec map[string]any, u *api.UserRecord, _ *Row) error {
	tag := first(rec, []string{"passwordHash"})
	switch {
	case tag == "":
	case r.format.scheme != "": // by another program, uploaded to Firebase
		u.PasswordHash = tag
	case r.signer == nil:
		return ErrNoHashConfig
	default:
		u.PasswordHash = r.signer.hash(first(rec, []string{"salt"}), tag)
	}
	return nil
}
