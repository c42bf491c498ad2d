package hash

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
)

// readASPNET reads the two formats of ASP.NET Core Identity's PasswordHasher, base64 of
//
//	v2: 00, 16 bytes of salt, 32 of tag; PBKDF2-HMAC-SHA-1 with 1000 iterations
//	v3: 01, digest (0 SHA-1, 1 SHA-256, 2 SHA-512), iterations, size of the salt, salt, tag; numbers are 32 bits, big-endian
func readASPNET(text string) (Hash, error) {
	b, err := base64.StdEncoding.Strict().DecodeString(text)
	if err != nil || len(b) < 14 || len(b) > 256 {
		return nil, errors.New("not the base64 that ASP.NET Identity writes")
	}
	switch b[0] {
	case 0:
		if len(b) != 1+16+32 {
			return nil, errors.New("version 2 has 49 bytes")
		}
		return newPBKDF2(pbkdf2SHA1, 1000, b[1:17], b[17:])
	case 1:
		digest, iterations, size := binary.BigEndian.Uint32(b[1:]), binary.BigEndian.Uint32(b[5:]), binary.BigEndian.Uint32(b[9:])
		all := []prf{pbkdf2SHA1, pbkdf2SHA256, pbkdf2SHA512}
		if digest >= uint32(len(all)) {
			return nil, errors.New("version 3 with an unknown digest")
		}
		if size > uint32(len(b)-13) {
			return nil, errors.New("version 3 with a salt longer than the text")
		}
		return newPBKDF2(all[digest], uint64(iterations), b[13:13+size], b[13+size:])
	}
	return nil, errors.New("neither version 2 nor version 3 of ASP.NET Identity")
}
