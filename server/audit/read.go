package audit

import (
	"bufio"
	"bytes"
	"crypto/hmac"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"signet/store"
)

// Trust is what the MAC, install and time of a line of a log prove.
type Trust int

// The levels of Trust.
const (
	Unsigned   Trust = iota // it has no MAC: an old log, what `signet audit list` printed, or any other text
	Signed                  // written by a replica of this install, unchanged
	Duplicate               // Signed, and read before
	Forged                  // its MAC is not that of its fields, or it cannot be read as a signed line
	Foreign                 // it names another install
	FutureDate              // it may be signed, but its time lies ahead of every clock that could have written it
)

func (t Trust) String() string {
	return [...]string{"unsigned", "signed", "duplicate", "forged", "foreign", "future date"}[t]
}

// MaxAhead is how far a line's time may lie ahead of the reader's clock.
const MaxAhead = time.Hour

// Line is an audit event in a log.
type Line struct {
	store.Event
	Trust   Trust
	Replica string // of a Signed line
	Number  uint64 // of a Signed line
}

// Gap is a run of lines that a log lacks.
type Gap struct {
	Replica     string
	First, Last uint64 // numbers of the lines that are missing
}

// LogReport is what a LogReader found beside the events.
type LogReport struct {
	Lines     map[Trust]int
	Gaps      []Gap // between lines that were read, and before the first of each replica. What is cut off at the end of a log cannot be seen
	Reordered int   // Signed lines that came after one with a higher number, in one file
	Unchained int   // Signed lines whose predecessor was read and is not the line that they were written after
}

// LogReader reads logs of the server. It finds the lines of this install that are as they were written. It remembers
// what it has read, so that several files make one log.
type LogReader struct {
	keys    [][]byte
	install string
	now     time.Time
	lines   map[Trust]int
	chains  map[string]*chain

	reordered, unchained int
}

// chain is what was read of one replica.
type chain struct {
	runs []run // sorted, apart from each other
}

// run is consecutive lines.
type run struct {
	first, last          uint64
	prevOfFirst, lastMAC string
}

// NewLogReader returns a LogReader for the logs of an install. secrets derive from its master keys, as
// Config.Keys; now is the reader's time.
func NewLogReader(secrets [][32]byte, install string, now time.Time) *LogReader {
	r := &LogReader{install: install, now: now, lines: map[Trust]int{}, chains: map[string]*chain{}}
	for _, secret := range secrets {
		r.keys = append(r.keys, chainKey(secret))
	}
	return r
}

// Read visits the audit events of a log, in its order. Lines that hold none are passed over.
func (r *LogReader) Read(log io.Reader, visit func(Line) error) error {
	in := bufio.NewReaderSize(log, 64<<10)
	highest := map[string]uint64{}
	for {
		text, err := in.ReadBytes('\n')
		if line, ok := r.Parse(text); ok {
			if line.Trust == Signed {
				if line.Number < highest[line.Replica] {
					r.reordered++
				}
				highest[line.Replica] = max(highest[line.Replica], line.Number)
			}
			if err := visit(line); err != nil {
				return err
			}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the audit log: %w", err)
		}
	}
}

// Report returns what was found so far.
func (r *LogReader) Report() LogReport {
	report := LogReport{Lines: r.lines, Reordered: r.reordered, Unchained: r.unchained}
	for replica, c := range r.chains {
		next := uint64(1)
		for _, run := range c.runs {
			if run.first > next {
				report.Gaps = append(report.Gaps, Gap{replica, next, run.first - 1})
			}
			next = run.last + 1
		}
	}
	slices.SortFunc(report.Gaps, func(a, b Gap) int {
		if a.Replica != b.Replica {
			return bytes.Compare([]byte(a.Replica), []byte(b.Replica))
		}
		if a.First < b.First {
			return -1
		}
		return 1
	})
	return report
}

// Parse reads one line; ok is false for what holds no audit event. A line is a line of the server's log, or
// an event as `signet audit list -o json` prints it.
func (r *LogReader) Parse(text []byte) (line Line, ok bool) {
	text = bytes.TrimPrefix(text, []byte("\ufeff")) // syslog may put a byte order mark before each message (RFC 5424 §6.4)
	fields, ok := readFields(text)
	if !ok {
		return Line{}, false
	}
	if fields["msg"] != Message {
		return r.parseListed(text, fields)
	}
	e, err := eventOf(fields)
	if err != nil {
		return Line{}, false
	}
	line = Line{Event: e, Trust: r.judge(fields)}
	if line.Trust == Signed {
		line.Replica = fields[fieldReplica]
		line.Number, _ = strconv.ParseUint(fields[fieldNumber], 10, 64) // judge has read it
		if !r.chain(line.Replica).add(run{line.Number, line.Number, fields[fieldPrev], fields[fieldMAC]}, &r.unchained) {
			line.Trust = Duplicate
		}
	}
	r.count(&line)
	return line, true
}

// parseListed reads an event of the API.
func (r *LogReader) parseListed(text []byte, fields map[string]string) (line Line, ok bool) {
	if _, listed := fields["seq"]; !listed || json.Unmarshal(text, &line.Event) != nil || line.Type == "" || line.At.IsZero() {
		return Line{}, false
	}
	r.count(&line)
	return line, true
}

func (r *LogReader) count(line *Line) {
	if line.Trust != Forged && line.Trust != Foreign && line.At.After(r.now.Add(MaxAhead)) {
		line.Trust = FutureDate
	}
	r.lines[line.Trust]++
}

// judge compares the MAC of a line.
func (r *LogReader) judge(fields map[string]string) Trust {
	signed := false
	for _, name := range []string{fieldMAC, fieldPrev, fieldNumber, fieldReplica, fieldInstall} {
		_, there := fields[name]
		signed = signed || there
	}
	if !signed {
		return Unsigned
	}
	if fields[fieldInstall] != short(r.install) {
		return Foreign
	}
	var list []field
	for name, value := range fields {
		switch name {
		case "time", "level", "msg", fieldMAC:
		default:
			list = append(list, field{name, value})
		}
	}
	n, err := strconv.ParseUint(fields[fieldNumber], 10, 64)
	if err != nil || n == 0 || strconv.FormatUint(n, 10) != fields[fieldNumber] {
		return Forged
	}
	for _, key := range r.keys {
		if hmac.Equal([]byte(sign(key, r.install, list)), []byte(fields[fieldMAC])) {
			return Signed
		}
	}
	return Forged
}

func (r *LogReader) chain(replica string) *chain {
	c := r.chains[replica]
	if c == nil {
		c = &chain{}
		r.chains[replica] = c
	}
	return c
}

// add joins a line to the runs; false means that it was read before. Neighbours whose MACs do not chain are
// counted.
func (c *chain) add(line run, unchained *int) bool {
	at, found := slices.BinarySearchFunc(c.runs, line.first, func(r run, n uint64) int {
		switch {
		case r.last < n:
			return -1
		case r.first > n:
			return 1
		}
		return 0
	})
	if found {
		return false
	}
	if at < len(c.runs) && c.runs[at].first == line.last+1 {
		if c.runs[at].prevOfFirst != line.lastMAC {
			*unchained++
		}
		line.last, line.lastMAC = c.runs[at].last, c.runs[at].lastMAC
		c.runs = slices.Delete(c.runs, at, at+1)
	}
	if at > 0 && c.runs[at-1].last+1 == line.first {
		if line.prevOfFirst != c.runs[at-1].lastMAC {
			*unchained++
		}
		c.runs[at-1].last, c.runs[at-1].lastMAC = line.last, line.lastMAC
		return true
	}
	c.runs = slices.Insert(c.runs, at, line)
	return true
}

// eventOf makes the event of a line.
func eventOf(fields map[string]string) (e store.Event, err error) {
	at, err := time.Parse(time.RFC3339Nano, fields["at"])
	if err != nil {
		return e, err
	}
	e = store.Event{At: at.UTC(), Type: fields["type"], Outcome: fields["outcome"], Actor: fields["actor"], ClientID: fields["client_id"],
		Subject: fields["sub"], SessionID: fields["sid"], KeyID: fields["kid"], RequestID: fields["request_id"], Address: fields["address"]}
	if e.Type == "" {
		return e, errors.New("no type")
	}
	for name, value := range fields {
		if !slices.Contains(notDetail, name) {
			if e.Detail == nil {
				e.Detail = map[string]string{}
			}
			e.Detail[name] = value
		}
	}
	return e, nil
}

// notDetail are the members of a line that are no Detail of its event.
var notDetail = []string{"time", "level", "msg", "at", "type", "outcome", "actor", "client_id", "sub", "sid", "kid", "request_id", "address",
	fieldInstall, fieldReplica, fieldNumber, fieldPrev, fieldMAC}

// readFields reads the members of a JSON object that are text or numbers. An object with a member that is
// there twice is refused: readers would differ about what it means.
func readFields(text []byte) (map[string]string, bool) {
	if !bytes.HasPrefix(bytes.TrimLeft(text, " \t"), []byte("{")) {
		return nil, false
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	if _, err := d.Token(); err != nil {
		return nil, false
	}
	fields, seen := map[string]string{}, map[string]bool{}
	for d.More() {
		token, err := d.Token()
		name, isText := token.(string)
		if err != nil || !isText || seen[name] {
			return nil, false
		}
		seen[name] = true
		var value any
		if d.Decode(&value) != nil {
			return nil, false
		}
		switch v := value.(type) {
		case string:
			fields[name] = v
		case json.Number:
			fields[name] = v.String()
		}
	}
	if _, err := d.Token(); err != nil {
		return nil, false
	}
	_, err := d.Token()
	return fields, errors.Is(err, io.EOF) // nothing behind the object
}
