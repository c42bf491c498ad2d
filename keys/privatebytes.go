package keys

import (
	"fmt"
	"log/slog"
)

// privateBytes is a private key in the clear, as it goes into the sealed document and nowhere else.
// JSON shows it, because that is its purpose; nothing else does.
type privateBytes []byte

// String implements fmt.Stringer without the key.
func (privateBytes) String() string { return redacted }

// Format implements fmt.Formatter, for every verb without the key.
func (privateBytes) Format(f fmt.State, _ rune) { fmt.Fprint(f, redacted) }

// LogValue implements slog.LogValuer without the key.
func (privateBytes) LogValue() slog.Value { return slog.StringValue(redacted) }
