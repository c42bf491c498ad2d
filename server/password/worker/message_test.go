package worker

import (
	"bytes"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"

	"signet/server/password/hash"
)

var requests = []request{
	{1, Job{Stored: "$2b$12$x", Password: []byte("correct horse")}},
	{1<<32 - 1, Job{Stored: strings.Repeat("s", 512), Password: []byte{}}},
	{0, Job{Params: hash.Params{Memory: 19456, Time: 2, Threads: 1}, Password: []byte("new\x00one")}},
}

// What is sent is what arrives, and the next message begins where it ends.
func TestMessages(t *testing.T) {
	var wire bytes.Buffer
	wire.Write(setup{7, 1 << 40, 1 << 20}.encode())
	for _, r := range requests {
		message, err := r.encode()
		if err != nil {
			t.Fatal(err)
		}
		wire.Write(message)
	}
	next := func() []byte {
		t.Helper()
		b, err := readMessage(&wire)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	if got, err := parseSetup(next()); err != nil || got != (setup{7, 1 << 40, 1 << 20}) {
		t.Errorf("setup: got %v, %v", got, err)
	}
	for _, want := range requests {
		if got, err := parseRequest(next()); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, %v; want %v", got, err, want)
		}
	}
	if _, err := readMessage(&wire); !errors.Is(err, io.EOF) {
		t.Errorf("at the end: got %v, want io.EOF", err)
	}
	if _, err := (request{1, Job{Stored: "s", Password: make([]byte, maxMessage)}}).encode(); err == nil {
		t.Error("a request that is too long was encoded")
	}
	if _, err := parseSetup([]byte{protocol + 1, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1}); err == nil {
		t.Error("a setup of another version was accepted")
	}
}

// FuzzMessages: no bytes make a reader panic, take more memory than a message may have, or read as something that is
// written differently.
func FuzzMessages(f *testing.F) {
	f.Add(setup{2, 1 << 30, 1 << 20}.encode())
	f.Add(encodeReady())
	f.Add(response{3, outcomeMatch, ""}.encode())
	f.Add(response{3, outcomeMade, "$argon2id$"}.encode())
	for _, r := range requests {
		b, _ := r.encode()
		f.Add(b)
	}
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, wire []byte) {
		b, err := readMessage(bytes.NewReader(wire))
		if err != nil {
			return
		}
		if len(b) > maxMessage {
			t.Fatalf("%d bytes", len(b))
		}
		same := func(kind string, again []byte) {
			if !bytes.Equal(again[4:], b) {
				t.Errorf("%s: %x is written as %x", kind, b, again[4:])
			}
		}
		if s, err := parseSetup(b); err == nil {
			same("setup", s.encode())
		}
		if r, err := parseResponse(b); err == nil {
			same("response", r.encode())
		}
		if r, err := parseRequest(b); err == nil {
			if again, err := r.encode(); err == nil {
				same("request", again)
			}
		}
	})
}
