package codec

import (
	"encoding/json"
	"fmt"
	"slices"

	"signet/store"
)

// EncodeClient writes the record as JSON: it is read seldom (the server caches clients) and its
// fields will grow. Format 1 keeps neither epoch nor revision.
func EncodeClient(c store.Client, format int) ([]byte, error) {
	if format < store.Format2 {
		c.Epoch, c.Revision = 0, 0
	}
	c.NotBefore, c.CreatedAt, c.UpdatedAt = store.Millis(c.NotBefore), store.Millis(c.CreatedAt), store.Millis(c.UpdatedAt)
	c.Secrets = slices.Clone(c.Secrets)
	for i := range c.Secrets {
		c.Secrets[i].CreatedAt = store.Millis(c.Secrets[i].CreatedAt)
	}
	raw, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encoding client %q: %w", c.ID, err)
	}
	return raw, nil
}

// DecodeClient reads what EncodeClient wrote. A record that cannot be read is store.ErrUnavailable.
func DecodeClient(raw []byte) (store.Client, error) {
	var c store.Client
	if err := json.Unmarshal(raw, &c); err != nil {
		return store.Client{}, fmt.Errorf("%w: reading a client: %w", store.ErrUnavailable, err)
	}
	return c, nil
}
