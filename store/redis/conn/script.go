package conn

import (
	"crypto/sha1"
	_ "embed"
	"encoding/hex"
)

// Script is an atomic step. All its keys are in one slot.
type Script struct {
	Source  string
	SHA     string // its name in Redis
	Answers Shape
	changes bool // it begins with deadline.lua
}

// NewReadScript makes one that only reads.
func NewReadScript(source string, answers Shape) *Script {
	sum := sha1.Sum([]byte(source)) // how Redis names scripts; nothing rests on it
	return &Script{Source: source, SHA: hex.EncodeToString(sum[:]), Answers: answers}
}

// NewScript makes a script that changes something. It gets a deadline: see deadline.go.
func NewScript(source string, answers Shape) *Script {
	sc := NewReadScript(deadlineLua+source, answers)
	sc.changes = true
	return sc
}

var (
	//go:embed deadline.lua
	deadlineLua string
	//go:embed write.lua
	writeLua string

	// WriteScript is what Write calls.
	WriteScript = NewScript(writeLua, noReply) // the shape is that of the command
)
