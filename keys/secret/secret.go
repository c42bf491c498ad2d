// Package secret holds values that must not be printed. Package fmt looks into unexported fields and
// behind pointers, and log/slog and encoding/json print what they can reach; a Value is opaque to all
// three and shows as [redacted].
package secret

import (
	"fmt"
	"log/slog"
)

// Redacted is what every secret prints as.
const Redacted = "[redacted]"

// Hidden prints as [redacted] in every way. A struct that embeds it prints so as well; its other
// fields stay readable in code.
type Hidden struct{}

// String implements fmt.Stringer without the secret.
func (Hidden) String() string { return Redacted }

// GoString implements fmt.GoStringer without the secret.
func (Hidden) GoString() string { return Redacted }

// Format implements fmt.Formatter, for every verb without the secret.
func (Hidden) Format(f fmt.State, _ rune) { fmt.Fprint(f, Redacted) }

// LogValue implements slog.LogValuer without the secret.
func (Hidden) LogValue() slog.Value { return slog.StringValue(Redacted) }

// MarshalJSON implements json.Marshaler without the secret.
func (Hidden) MarshalJSON() ([]byte, error) { return []byte(`"` + Redacted + `"`), nil }

// MarshalText implements encoding.TextMarshaler without the secret.
func (Hidden) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

// Value holds a secret of any type. The zero Value holds none.
type Value[T any] struct {
	Hidden
	reveal func() T // a function: package fmt prints its address where it prints the others' contents
}

// Of returns a Value that holds v.
func Of[T any](v T) Value[T] { return Value[T]{reveal: func() T { return v }} }

// IsZero reports whether v holds nothing.
func (v Value[T]) IsZero() bool { return v.reveal == nil }

// Reveal returns the secret. It panics for the zero Value, because a zero secret must not serve as one.
func (v Value[T]) Reveal() T {
	if v.reveal == nil {
		panic("secret: use of the zero Value")
	}
	return v.reveal()
}
