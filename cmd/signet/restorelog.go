package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"signet/store"
	"signet/store/recovery"
)

// readLog notes the audit events in a log of the server, as it is written to standard error, or in
// what `signet audit list --follow -o json` has printed. Other lines are skipped.
func (r *restoration) readLog(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("reading the audit log: %w", err)
	}
	defer f.Close()
	in := bufio.NewReaderSize(f, 64<<10)
	found := false
	for {
		line, err := in.ReadBytes('\n')
		if e, ok := parseLogLine(line); ok {
			r.history.Note(e, recovery.Unsigned)
			found = true
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("reading the audit log %s: %w", path, err)
		}
	}
	if !found {
		return fmt.Errorf("there is no audit event in %s; it must be the server's own log in JSON (log.format), one event a line", path)
	}
	return nil
}

// parseLogLine reads one line; ok is false for what is no audit event.
func parseLogLine(line []byte) (e store.Event, ok bool) {
	line = bytes.TrimPrefix(line, byteOrderMark) // syslog may put one before each message (RFC 5424 §6.4)
	var fields map[string]any
	if json.Unmarshal(line, &fields) != nil {
		return store.Event{}, false
	}
	if fields["msg"] != "audit" {
		return e, fields["seq"] != nil && json.Unmarshal(line, &e) == nil && e.Type != "" && !e.At.IsZero()
	}
	take := func(name string) string {
		value, _ := fields[name].(string)
		delete(fields, name)
		return value
	}
	at, err := time.Parse(time.RFC3339Nano, take("at"))
	if err != nil {
		return store.Event{}, false
	}
	e = store.Event{At: at.UTC(), Type: take("type"), Outcome: take("outcome"), Actor: take("actor"), ClientID: take("client_id"), Subject: take("sub"),
		SessionID: take("sid"), KeyID: take("kid"), RequestID: take("request_id"), Address: take("address")}
	for _, ofTheLine := range []string{"time", "level", "msg", "install", "replica", "n", "prev", "mac"} {
		delete(fields, ofTheLine)
	}
	for name, value := range fields {
		if text, isText := value.(string); isText {
			if e.Detail == nil {
				e.Detail = map[string]string{}
			}
			e.Detail[name] = text
		}
	}
	return e, e.Type != ""
}
