package store

import (
	"bytes"
	"encoding/json"
)

// EventFilter finds out cheaply, from the JSON of an event, whether a query could select it. Decoding every
// event of a long trail would cost a hundred times as much.
type EventFilter struct{ groups [][][]byte }

// Filter returns the filter of q.
func (q EventQuery) Filter() EventFilter {
	var f EventFilter
	add := func(name string, values ...string) {
		var any [][]byte
		for _, value := range values {
			if value != "" {
				any = append(any, member(name, value))
			}
		}
		if any != nil {
			f.groups = append(f.groups, any)
		}
	}
	add("type", q.Types...)
	add("client_id", q.ClientID)
	add("sub", q.Subject)
	if p := q.About; p != nil {
		var any [][]byte
		if p.Subject != "" {
			any = append(any, member("sub", p.Subject))
		}
		if p.Username != "" {
			any = append(any, member(DetailUsername, p.Username))
		}
		for _, hash := range p.NameHashes {
			any = append(any, member(DetailNameHash, hash))
		}
		f.groups = append(f.groups, any)
	}
	return f
}

// member is a member of an object as encoding/json writes it. A string always encodes.
func member(name, value string) []byte {
	encoded, _ := json.Marshal(value)
	return append([]byte(`"`+name+`":`), encoded...)
}

// MaySelect reports whether the query could select the event; false is certain.
func (f EventFilter) MaySelect(raw []byte) bool {
	for _, any := range f.groups {
		found := false
		for _, text := range any {
			if found = bytes.Contains(raw, text); found {
				break
			}
		}
		if !found {
			return false
		}
	}
	return true
}
