package cli

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"strings"
)

// OneLine returns an error with the text of err on one line. Joined errors have a line each.
func OneLine(err error) error { return flatError{err} }

type flatError struct{ error }

func (e flatError) Error() string { return strings.ReplaceAll(e.error.Error(), "\n", "; ") }
func (e flatError) Unwrap() error { return e.error }

// maxKeyFile is more than any file of keys has.
const maxKeyFile = 1 << 20

// ReadInput reads a file, or standard input where its name is a dash.
func ReadInput(app *App, path string) ([]byte, error) {
	in := app.In
	if path != "-" {
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("reading the key: %w", err)
		}
		defer f.Close()
		in = f
	}
	data, err := io.ReadAll(io.LimitReader(in, maxKeyFile))
	if err != nil {
		return nil, fmt.Errorf("reading the key: %w", err)
	}
	return bytes.TrimPrefix(data, ByteOrderMark), nil
}

// InputName returns what messages call an input: its path, or standard input for -.
func InputName(path string) string {
	if path == "-" {
		return "standard input"
	}
	return path
}

// OpenSSLInput names the file to openssl.
func OpenSSLInput(path string) string {
	if path == "-" {
		return ""
	}
	return "-in " + path + " "
}
