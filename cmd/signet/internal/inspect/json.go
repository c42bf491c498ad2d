package inspect

import (
	"errors"
	"io"

	"signet/keys/jose"
)

var errNotJSON = errors.New("it is not JSON of the expected form, or has a name twice")

// Unmarshal decodes JSON of a token, a key set or the metadata of a server. Names must be spelt exactly and occur once.
// The error does not quote the input.
func Unmarshal(data []byte, into any) error {
	if jose.Unmarshal(data, into) != nil {
		return errNotJSON
	}
	return nil
}

// ReadJSON is Unmarshal for a document of limited size.
func ReadJSON(r io.Reader, into any) error {
	data, err := io.ReadAll(io.LimitReader(r, maxDocument))
	if err != nil {
		return err
	}
	return Unmarshal(data, into)
}
