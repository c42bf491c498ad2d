package userimport

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"signet/cmd/signet/internal/usertable"
	"signet/server/admin/api"
	"signet/server/admin/client"
	"signet/server/password"
)

const (
	partLines = 5000
	partBytes = 4 << 20
	firstWait = 250 * time.Millisecond // before a part is sent again; it doubles up to longWait
	longWait  = 5 * time.Second
)

// run is one import.
type run struct {
	*command
	server   *client.Client
	explain  func(error) error // of errors of server
	target   api.Target
	table    *usertable.Reader
	progress *progress
	files    files

	part    bytes.Buffer
	rows    []usertable.Row // of the part, without their records
	records []record

	seed maphash.Seed
	seen map[uint64]struct{} // usernames that were accepted

	report       api.Report
	keptPassword int
	answered     bool // the server has answered a part
}

// record is where the line of a row lies in the part.
type record struct{ from, to int }

func newRun(c *command, server *client.Client, table *usertable.Reader) *run {
	query := url.Values{"on_conflict": {c.conflict}, "id_claim": {c.idClaim}}
	if c.dryRun {
		query.Set("dry_run", "true")
	}
	if c.allowWeak {
		query.Set("allow_weak", "true")
	}
	if c.notMoved {
		query.Set("not_moved", "true")
	}
	target := api.ImportUsers.At().Query(query)
	target.Accept = api.NDJSON
	r := &run{command: c, server: server, explain: server.Explain, target: target, table: table, seed: maphash.MakeSeed(), seen: map[uint64]struct{}{},
		report: api.Report{Refused: []api.RefusedLine{}}}
	server.Explain = nil // send looks at the errors first
	return r
}

// all reads and sends the whole table.
func (r *run) all(ctx context.Context) error {
	for {
		row, err := r.table.Next()
		if errors.Is(err, io.EOF) {
			return r.sendPart(ctx)
		}
		if err == nil {
			err = r.add(row)
		}
		if err == nil && (len(r.rows) == partLines || r.part.Len() > partBytes) {
			err = r.sendPart(ctx)
			if err != nil {
				return err
			}
		}
		if err != nil { // of the table: what is before it counts
			if sending := r.sendPart(ctx); sending != nil {
				return sending
			}
			return fmt.Errorf("%w (%s). Mend that and start it once more", err, r.sentSoFar())
		}
	}
}

func (r *run) sentSoFar() string {
	return fmt.Sprintf("%d users were accepted before", r.report.Accepted)
}

// add puts a row into the part, or refuses it.
func (r *run) add(row usertable.Row) error {
	if len(row.Factors) > 0 && r.factors == "" && !r.dropFactors && row.Err == nil {
		return fmt.Errorf("the user %q has one-time passwords, which Signet does not ask for: keep their secrets in a private file with --factors FILE, or leave them behind with --drop-factors", row.Username)
	}
	if row.Err != nil {
		return r.refuse(row, row.Record, row.Err.Error())
	}
	if _, there := r.seen[r.key(row.Username)]; there {
		return r.refuse(row, row.Record, "an earlier line has the same username")
	}
	from := r.part.Len()
	r.part.Write(row.Record)
	r.records = append(r.records, record{from, r.part.Len()})
	r.part.WriteByte('\n')
	row.Record = nil
	r.rows = append(r.rows, row)
	return nil
}

// key is a hash of the username as the server compares it.
func (r *run) key(username string) uint64 {
	if name, err := password.CanonicalUsername(username); err == nil {
		username = name
	}
	return maphash.String(r.seed, username)
}

// sendPart sends the part until its answer is complete, and takes what became of each line. It gives up when no more lines
// were answered for as long as --wait: a part of hashes that are wrapped takes minutes.
func (r *run) sendPart(ctx context.Context) error {
	if len(r.rows) == 0 {
		return nil
	}
	created := map[int]bool{} // in a try whose answer broke off
	wait, since, most := firstWait, time.Time{}, 0
	for {
		answers, err := r.send(ctx)
		if n := len(answers); since.IsZero() || n > most {
			wait, since, most = firstWait, time.Now(), n
		}
		for i, a := range answers {
			if a.Result == api.ImportCreated {
				created[i] = true
			}
		}
		if err == nil {
			return r.take(answers, created)
		}
		if !r.mayRetry(err) || time.Since(since) > time.Duration(r.wait) {
			if ctx.Err() != nil {
				err = errors.New("interrupted")
			} else if r.explain != nil {
				err = r.explain(err)
			}
			if r.answered {
				err = fmt.Errorf("%w. %s: start it once more, which changes nothing for those", err, r.sentSoFar())
			}
			return err
		}
		r.progress.waiting()
		select {
		case <-ctx.Done():
		case <-time.After(wait):
		}
		wait = min(2*wait, longWait)
	}
}

// errCut means that an answer ended before its last line.
var errCut = errors.New("the answer of the server was cut off")

// mayRetry reports whether the same part may be answered later. An address that nobody has answered on is more likely the
// wrong one, unless the flag asks to wait for it.
func (r *run) mayRetry(err error) bool {
	if refused, ok := errors.AsType[*client.Error](err); ok {
		return refused.Status == http.StatusServiceUnavailable || refused.Status == http.StatusBadGateway || refused.Status == http.StatusGatewayTimeout
	}
	if _, unreachable := errors.AsType[*client.UnreachableError](err); !unreachable {
		return errors.Is(err, errCut)
	}
	connection, _ := errors.AsType[*net.OpError](err)
	reached := connection != nil && connection.Op != "dial" || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
	return reached || r.answered || r.waitGiven
}

// send makes one request, and returns the answers of the lines in their order, all of them or up to the error.
func (r *run) send(ctx context.Context) ([]api.ImportLine, error) {
	body, err := r.server.Open(ctx, r.target, bytes.NewReader(r.part.Bytes()))
	if err != nil {
		return nil, err
	}
	defer body.Close()
	answers := make([]api.ImportLine, 0, len(r.rows))
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		r.answered = true
		var a api.ImportLine
		if err := json.Unmarshal(lines.Bytes(), &a); err != nil {
			return answers, fmt.Errorf("%s answered what is no line of an import; is it a signet server of this version?", r.server.Where)
		}
		switch {
		case a.Error != nil && a.Error.Code == api.CodeUnavailable, a.Error != nil && a.Error.Code == api.CodeBusy:
			return answers, fmt.Errorf("%w: %s", errCut, a.Error.Message)
		case a.Error != nil:
			return answers, errors.New(a.Error.Message)
		case a.Report != nil && len(answers) == len(r.rows):
			return answers, nil
		case a.Report != nil || a.Line != len(answers)+1 || len(answers) == len(r.rows):
			return answers, fmt.Errorf("the answer of %s is about other lines than were sent; this is a fault of the server, please report it", r.server.Where)
		}
		answers = append(answers, a)
		if n := len(answers); n%100 == 0 {
			r.progress.show(r.report.Accepted+r.report.RefusedCount+n, n, len(r.rows))
		}
	}
	return answers, errCut
}

// take counts and writes what became of the part, and empties it.
func (r *run) take(answers []api.ImportLine, created map[int]bool) error {
	for i, a := range answers {
		row, line := r.rows[i], r.part.Bytes()[r.records[i].from:r.records[i].to]
		if a.Result == api.ImportUnchanged && created[i] {
			a.Result = api.ImportCreated
		}
		if a.Result == api.ImportRefused {
			if err := r.refuse(row, line, strings.ReplaceAll(a.Reason, "on_conflict=", "--on-conflict ")); err != nil {
				return err
			}
			continue
		}
		r.seen[r.key(row.Username)] = struct{}{}
		r.report.Accepted++
		switch a.Result {
		case api.ImportCreated:
			r.report.Created++
		case api.ImportUpdated:
			r.report.Updated++
		case api.ImportUnchanged:
			r.report.Unchanged++
		case api.ImportSkipped:
			r.report.Skipped++
		}
		if a.Reason != "" {
			r.keptPassword++
		}
		if err := r.files.accepted(row, a.Subject); err != nil {
			return err
		}
	}
	r.progress.show(r.report.Accepted+r.report.RefusedCount, len(r.rows), len(r.rows))
	r.part.Reset()
	r.rows, r.records = r.rows[:0], r.records[:0]
	return nil
}

// refuse reports a row that was not imported.
func (r *run) refuse(row usertable.Row, line []byte, reason string) error {
	r.report.RefusedCount++
	if len(r.report.Refused) < api.MaxRefused {
		r.report.Refused = append(r.report.Refused, api.RefusedLine{Line: row.Line, Username: row.Username, Reason: reason})
	}
	return r.files.refused(row, line, reason)
}

// finish prints the report.
func (r *run) finish() error {
	for _, name := range r.table.Unused() {
		r.app.Warn(fmt.Errorf("no user has the field of the claim %s", strconv.Quote(name)))
	}
	if n := r.table.LeftOut; n > 0 {
		r.app.Notef("%d records of the file are no people and were left out.", n)
	}
	if r.keptPassword > 0 {
		r.app.Notef("%d users kept a password that was set here.", r.keptPassword)
	}
	if r.dryRun {
		r.app.Notef("This was a dry run: nothing was changed.")
	}
	if err := r.app.Print(r.report, func(w io.Writer) { WriteReport(w, r.report) }); err != nil {
		return err
	}
	if n := r.report.RefusedCount; n > 0 {
		if r.rejected != "" {
			return fmt.Errorf("%d of %d lines were refused. Fix the lines in %s and import that file", n, n+r.report.Accepted, r.rejected)
		}
		return fmt.Errorf("%d of %d lines were refused. Fix these lines and import the file again", n, n+r.report.Accepted)
	}
	return nil
}
