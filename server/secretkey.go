package server

import (
	"fmt"
	"log/slog"
)

const redacted = "[redacted]"

// Format implements fmt.Formatter, for every verb without the keys: a Config is what a careless line
// of a log would print.
func (c Config) Format(f fmt.State, _ rune) {
	fmt.Fprintf(f, "server.Config{Issuer: %q, keys: %s}", c.Issuer, redacted)
}

// LogValue implements slog.LogValuer without the keys.
func (c Config) LogValue() slog.Value { return slog.StringValue(fmt.Sprint(c)) }

// MarshalJSON implements json.Marshaler without the keys.
func (c Config) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, "%q", redacted), nil }
