package clientfile

import _ "embed"

// Schema is the JSON Schema of a file, for editors and for checks before a file is merged.
//
//go:embed schema.json
var Schema string
