package inspect

import (
	"errors"
	"io"

	"signet/keys/jose"
)

var errNotJSON = errors.New("it is not JSON of the expected form, or has a name twice")

// Unmarshal decodes JSON of a token, a key set or a server's metadata. Unlike encoding/json it takes names
// exactly as they are spelt and none twice. The error does not quote what was read.
func Unmarshal(data []byte, into any) error {
	if jose.Unmarshal(data, into) != nil {
		return errNotJSON
	}
	return nil
}

// ReadJSON is readExact for a document that is read first.
func ReadJSON(r io.Reader, into any) error {
	data, err := io.ReadAll(io.LimitReader(r, maxDocument))
	if err != nil {
		return err
	}
	return Unmarshal(data, into)
}
