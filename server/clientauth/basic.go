package clientauth

import (
	"encoding/base64"
	"errors"
	"strings"

	"signet/server/edge"
)

// parseBasic reads RFC 7617 credentials whose two parts are form-encoded (RFC 6749 §2.3.1). The base64
// may lack its padding and have either alphabet of RFC 4648: all spellings decode to the same bytes.
func parseBasic(header string) (credentials, error) {
	scheme, encoded := header, ""
	if i := strings.IndexAny(header, " \t"); i >= 0 {
		scheme, encoded = header[:i], strings.Trim(header[i:], " \t")
	}
	if !strings.EqualFold(scheme, "Basic") {
		return credentials{}, errors.New("not the Basic scheme")
	}
	raw, err := decodeBasic(encoded)
	if err != nil {
		return credentials{}, err
	}
	rawID, rawSecret, ok := strings.Cut(string(raw), ":")
	if !ok {
		return credentials{}, errors.New("no colon")
	}
	id, okID := edge.DecodeComponent(rawID)
	secret, okSecret := edge.DecodeComponent(rawSecret)
	if !okID || !okSecret {
		return credentials{}, errors.New("not form-encoded UTF-8")
	}
	return credentials{id: id, secret: secret, method: SecretBasic}, nil
}

var standardAlphabet = strings.NewReplacer("-", "+", "_", "/")

func decodeBasic(encoded string) ([]byte, error) {
	if strings.ContainsAny(encoded, "\r\n") { // which package base64 skips
		return nil, errors.New("not base64")
	}
	encoded = standardAlphabet.Replace(encoded)
	encoding := base64.RawStdEncoding
	if strings.HasSuffix(encoded, "=") {
		encoding = base64.StdEncoding
	}
	raw, err := encoding.Strict().DecodeString(encoded)
	if err != nil {
		return nil, errors.New("not base64")
	}
	return raw, nil
}
