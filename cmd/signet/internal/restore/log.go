package restore

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/install"
	"signet/server/audit"
	"signet/store"
	"signet/store/recovery"
)

// readLogs reads all logs as one. Their order does not matter.
func (r *restoration) readLogs() error {
	if len(r.logs) == 0 {
		return nil
	}
	var keys [][32]byte
	for _, key := range r.master {
		keys = append(keys, key.Derive(install.AuditKeyPurpose))
	}
	reader := audit.NewLogReader(keys, r.backup.manifest.Install.ID, r.now)
	for _, path := range r.logs {
		if err := r.readLog(reader, path); err != nil {
			return fmt.Errorf("%w; nothing was changed", err)
		}
		r.report.Knew = append(r.report.Knew, path)
	}
	r.report.Gaps = append(r.report.Gaps, describe(reader.Report())...)
	return nil
}

// readLog adds the audit events of a log to the history. It is the log of a server, or the output of
// `signet audit list --follow -o json`. Other lines are skipped.
func (r *restoration) readLog(reader *audit.LogReader, path string) error {
	log, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("reading the audit log: %w", err)
	}
	defer log.Close()
	lines, foreign := 0, 0
	err = reader.Read(log, func(line audit.Line) error {
		lines++
		switch line.Trust {
		case audit.Foreign:
			foreign++
		case audit.Signed, audit.Duplicate:
			r.history.Note(line.Event, recovery.Attested)
		default: // it may be forged, so it can only take rights away
			r.history.Note(line.Event, recovery.Unsigned)
		}
		return nil
	})
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", path, err)
	case lines == 0:
		return fmt.Errorf("there is no audit event in %s; it must be the server's own log in JSON (log.format), one event a line", path)
	case lines == foreign:
		return fmt.Errorf("%s is the log of another install", path)
	}
	if _, err := log.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("reading the audit log: %w", err)
	}
	return readGenerations(log, r.history.Reached)
}

// readGenerations visits the generations that sessions have reached. Only the access log has them: an ordinary refresh is
// not an audit event.
func readGenerations(log io.Reader, visit func(id store.SessionID, generation uint32)) error {
	in := bufio.NewReaderSize(log, 64<<10)
	for {
		line, err := in.ReadBytes('\n')
		if id, generation, ok := parseRefresh(line); ok {
			visit(id, generation)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading the audit log: %w", err)
		}
	}
}

func parseRefresh(line []byte) (id store.SessionID, generation uint32, ok bool) {
	if !bytes.Contains(line, []byte(`"generation":`)) {
		return id, 0, false
	}
	var fields struct {
		Message    string          `json:"msg"`
		Status     int             `json:"status"`
		Grant      string          `json:"grant_type"`
		Session    store.SessionID `json:"sid"`
		Generation uint32          `json:"generation"`
	}
	if json.Unmarshal(bytes.TrimPrefix(line, cli.ByteOrderMark), &fields) != nil {
		return id, 0, false
	}
	return fields.Session, fields.Generation, fields.Message == "token" && fields.Status == http.StatusOK && fields.Grant == "refresh_token" &&
		!fields.Session.IsZero()
}

// describe lists the problems of the logs.
func describe(found audit.LogReport) (lines []string) {
	attention := func(n int, what string) {
		if n > 0 {
			lines = append(lines, fmt.Sprintf("ATTENTION: lines of the logs %s: %d.", what, n))
		}
	}
	for _, gap := range found.Gaps {
		lines = append(lines, fmt.Sprintf("ATTENTION: the logs lack lines %d to %d of replica %s. Their events are missing.", gap.First, gap.Last, gap.Replica))
	}
	attention(found.Lines[audit.Forged], "were altered or forged. They were used to take away only")
	attention(found.Lines[audit.Foreign], "are of another install. They were skipped")
	attention(found.Lines[audit.FutureDate], "have a time in the future. They were used to take away only")
	attention(found.Unchained, "do not follow the line before them")
	attention(found.Reordered, "are in another order than they were written in")
	if n := found.Lines[audit.Unsigned]; n > 0 {
		lines = append(lines, fmt.Sprintf("Lines of the logs without a signature, such as those of earlier versions, were used to take away only: %d.", n))
	}
	return lines
}
