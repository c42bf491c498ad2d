package keys

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// Unlike encoding/json, these take names exactly as they are spelt: {"SCOPE":…} is no scope. Their errors
// are not for answers or logs, since they quote what was read.

// readForeign decodes JSON that anybody may have written. It refuses a name that is there twice, and what
// is not UTF-8.
func readForeign(data []byte, into any) error { return json.Unmarshal(data, into) }

// readSigned decodes what this install has signed. All of it must stay readable, so that it can be
// revoked: of a name that is there twice the last one counts, which in a token is the registered claim.
func readSigned(data []byte, into any) error {
	return json.Unmarshal(data, into, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}
