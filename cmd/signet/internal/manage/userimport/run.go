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
	"slices"
	"strconv"
	"strings"
	"time"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/usertable"
	"signet/server/admin/api"
	"signet/server/admin/client"
	"signet/server/password"
	"signet/server/password/hash"
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

	part  bytes.Buffer
	rows  []row // of the part
	lines int   // of them that are sent
	held  int   // bytes of those that are not

	seed maphash.Seed
	seen map[uint64]struct{} // usernames and ids that were accepted
	here idsHere             // nil: not read yet

	report   api.Report
	looked   int  // rows whose hashes were looked at, see noteWraps
	factored int  // users of a dry run whose one-time passwords have no place yet
	answered bool // the server has answered a part
}

// row is a user of the part. The record of one who is sent lies in the part.
type row struct {
	usertable.Row
	from, to int
	refused  string // the reason why it is not sent
}

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
	if c.wrapLater {
		query.Set("wrap_later", "true")
	}
	target := api.ImportUsers.At().Query(query)
	target.Accept = api.NDJSON
	r := &run{command: c, server: server, explain: server.Explain, target: target, table: table, seed: maphash.MakeSeed(), seen: map[uint64]struct{}{},
		report: api.Report{Refused: []api.ReportLine{}, DryRun: c.dryRun}}
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
			err = r.add(ctx, row)
		}
		if err == nil && (len(r.rows) == partLines || r.part.Len()+r.held > partBytes) {
			err = r.sendPart(ctx)
			if err != nil {
				return err
			}
		}
		if _, ofServer := errors.AsType[*serverError](err); ofServer {
			return err
		}
		if err != nil { // of the table: what is before it counts
			if sending := r.sendPart(ctx); sending != nil {
				return sending
			}
			return fmt.Errorf("%w (%s). Fix that and start it once more", err, r.sentSoFar())
		}
	}
}

// serverError is an error of the server while rows are read.
type serverError struct{ error }

func (e *serverError) Unwrap() error { return e.error }

func (r *run) sentSoFar() string {
	n := r.report.Accepted
	if r.dryRun {
		return fmt.Sprintf("%d %s would be accepted before", n, cli.Plural(n, "user"))
	}
	if n == 1 {
		return "1 user was accepted before"
	}
	return fmt.Sprintf("%d users were accepted before", n)
}

// chooseFactors is what can be done with one-time passwords.
const chooseFactors = "which Signet does not ask for: keep their secrets in a private file with --factors FILE, or leave them behind with --drop-factors"

// add puts a row into the part. One that is refused is there as well, so that the report has all in the order of the file.
func (r *run) add(ctx context.Context, read usertable.Row) error {
	if len(read.Factors) > 0 && r.factors == "" && !r.dropFactors && read.Err == nil {
		if !r.dryRun {
			return fmt.Errorf("the user %q has one-time passwords, %s", read.Username, chooseFactors)
		}
		r.factored++
	}
	row := row{Row: read}
	doubled, err := "", error(nil)
	if row.Err == nil {
		doubled, err = r.hereAs(ctx, row.Row)
	}
	switch {
	case err != nil:
		return &serverError{err}
	case row.Err != nil:
		row.refused = row.Err.Error()
	case doubled != "":
		row.refused = doubled
	case r.accepted(r.nameKey(row.Username)):
		row.refused = sameUsername
	case row.ID != "" && r.accepted(r.idKey(row.ID)):
		row.refused = sameID
	default:
		r.noteWraps(row.Record)
		row.from = r.part.Len()
		r.part.Write(row.Record)
		row.to = r.part.Len()
		r.part.WriteByte('\n')
		row.Record = nil
		r.lines++
	}
	r.held += len(row.Record) + len(row.Text)
	r.rows = append(r.rows, row)
	return nil
}

// maxLooked is how many rows are looked at before an import begins.
const maxLooked = 100

// noteWraps prints early that an import will take hours, and what can be done: with the first row whose hash is wrapped and need not
// be at once.
func (r *run) noteWraps(record []byte) {
	if r.looked == maxLooked || r.wrapLater || r.dryRun {
		return
	}
	r.looked++
	var u api.UserRecord
	if json.Unmarshal(record, &u) != nil || u.PasswordHash == "" {
		return
	}
	stored, err := hash.Import(u.HashScheme, u.PasswordHash, hash.ImportOptions{Caps: hash.Caps{}.WithDefaults()})
	if err == nil && hash.MayWait(stored) {
		r.looked = maxLooked
		r.app.Notef("The hashes are fast to guess, so each is hashed once more on the way in, which takes as long as a login. --wrap-later leaves that to the server.")
	}
}

// Lines of one part that have the same are refused by the server, in the same words.
const (
	sameUsername = "an earlier line has the same username"
	sameID       = "an earlier line has the same id: two users would have it"
)

func (r *run) accepted(key uint64) bool {
	_, there := r.seen[key]
	return there
}

// nameKey is a hash of the username as the server compares it, and idKey one of an id in the old system.
func (r *run) nameKey(username string) uint64 {
	if name, err := password.CanonicalUsername(username); err == nil {
		username = name
	}
	return maphash.String(r.seed, "name "+username)
}

func (r *run) idKey(id string) uint64 { return maphash.String(r.seed, "id "+id) }

// sendPart sends the part until its answer is complete, and takes what became of each line.
func (r *run) sendPart(ctx context.Context) error {
	if len(r.rows) == 0 {
		return nil
	}
	if r.lines == 0 {
		return r.take(nil, nil)
	}
	created := map[int]bool{} // in a try whose answer broke off
	patience := patience{limit: time.Duration(r.wait)}
	for {
		answers, err := r.send(ctx)
		for i, a := range answers {
			if a.Result == api.ImportCreated {
				created[i] = true
			}
		}
		if err == nil {
			return r.take(answers, created)
		}
		wait, again := patience.next(time.Now(), len(answers))
		if !again || !r.mayRetry(err) {
			err = r.explained(ctx, err)
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
	}
}

// patience is how long one waits for a server that has gone. A part of hashes that are wrapped takes minutes, so time counts from
// the first failure, and anew after one that came with more answers than any before.
type patience struct {
	limit time.Duration
	since time.Time
	most  int // answers of a try
	wait  time.Duration
}

// next returns how long to wait before the next try, after one that failed with so many answers; not again: the limit is over.
func (p *patience) next(now time.Time, answers int) (wait time.Duration, again bool) {
	if p.since.IsZero() || answers > p.most {
		p.since, p.most, p.wait = now, answers, firstWait
	}
	wait = p.wait
	p.wait = min(2*p.wait, longWait)
	return wait, now.Sub(p.since) <= p.limit
}

// errCut means that an answer ended before its last line.
var errCut = errors.New("the answer of the server was cut off")

// mayRetry reports whether the same part may be answered later. An address that has not answered yet is more likely a
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
	answers := make([]api.ImportLine, 0, r.lines)
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	lines.Split(wholeLines)
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
		case a.Report != nil && len(answers) == r.lines:
			r.warnings(a.Report.Warnings)
			r.report.Wrapped += a.Report.Wrapped
			r.report.WrapLater += a.Report.WrapLater
			return answers, nil
		case a.Report != nil || a.Line != len(answers)+1 || len(answers) == r.lines:
			return answers, fmt.Errorf("the answer of %s is about other lines than were sent; this is a fault of the server, please report it", r.server.Where)
		}
		answers = append(answers, a)
		if n := len(answers); n%100 == 0 {
			r.progress.show(r.report.Accepted+r.report.RefusedCount+n, n, r.lines)
		}
	}
	return answers, errCut
}

// wholeLines is bufio.ScanLines without a last line that has no end: a server that was killed leaves half of one.
func wholeLines(data []byte, atEOF bool) (advance int, line []byte, err error) {
	if end := bytes.IndexByte(data, '\n'); end >= 0 {
		return end + 1, data[:end], nil
	}
	if atEOF {
		return len(data), nil, nil
	}
	return 0, nil, nil
}

// warnings keeps those of a part that are new.
func (r *run) warnings(of []string) {
	for _, w := range of {
		if !slices.Contains(r.report.Warnings, w) {
			r.report.Warnings = append(r.report.Warnings, w)
		}
	}
}

// take counts and writes what became of the part, and empties it.
func (r *run) take(answers []api.ImportLine, created map[int]bool) error {
	n := 0
	for _, row := range r.rows {
		if row.refused != "" {
			if err := r.refuse(row.Row, row.Record, row.refused); err != nil {
				return err
			}
			continue
		}
		a, line := answers[n], r.part.Bytes()[row.from:row.to]
		if a.Result == api.ImportUnchanged && created[n] {
			a.Result = api.ImportCreated
		}
		n++
		if err := r.answer(row, line, a); err != nil {
			return err
		}
	}
	r.progress.show(r.report.Accepted+r.report.RefusedCount, len(r.rows), len(r.rows))
	r.part.Reset()
	r.rows, r.lines, r.held = r.rows[:0], 0, 0
	return nil
}

// answer takes the answer of the server about a line.
func (r *run) answer(row row, line []byte, a api.ImportLine) error {
	switch a.Result {
	case api.ImportRefused:
		return r.refuse(row.Row, line, flagsFor(a.Reason)+r.otherName(row.Username))
	case api.ImportCreated:
		r.report.Created++
	case api.ImportUpdated:
		r.report.Updated++
	case api.ImportUnchanged:
		r.report.Unchanged++
	case api.ImportSkipped:
		r.report.Skipped++
	}
	r.report.Accepted++
	r.seen[r.nameKey(row.Username)] = struct{}{}
	if row.ID != "" {
		r.seen[r.idKey(row.ID)] = struct{}{}
	}
	if a.Reason != "" {
		r.report.KeptCount++
		if len(r.report.Kept) < api.MaxRefused {
			r.report.Kept = append(r.report.Kept, api.ReportLine{Line: row.Line, Username: row.Username, Reason: a.Reason})
		}
	}
	return r.files.accepted(row.Row, a.Subject)
}

// otherName is what can be done about a name that cannot be one here; "" where it can, or nothing.
func (r *run) otherName(username string) string {
	field := r.table.OtherName()
	if _, err := password.CanonicalUsername(username); err == nil || field == "" {
		return ""
	}
	return "; --username " + field + " takes the e-mail address in its place"
}

// flagsFor puts flags into the place of the parameters of the admin API that a reason names.
func flagsFor(reason string) string {
	return strings.NewReplacer("on_conflict=", "--on-conflict ", "hash_scheme=", "--hash-scheme ", "with hash_scheme;", "with --hash-scheme;",
		" and allow_weak=true", " --allow-weak", "allow_weak=true", "--allow-weak").Replace(reason)
}

// refuse reports a row that was not imported.
func (r *run) refuse(row usertable.Row, line []byte, reason string) error {
	r.report.RefusedCount++
	if len(r.report.Refused) < api.MaxRefused {
		r.report.Refused = append(r.report.Refused, api.ReportLine{Line: row.Line, Username: row.Username, Reason: reason})
	}
	return r.files.refused(row, line, reason)
}

// wrapNotes shows what hashing once more costs.
func (r *run) wrapNotes() {
	all, later := r.report.Wrapped, r.report.WrapLater
	switch {
	case r.wrapLater && later > 0 && !r.dryRun:
		r.app.Notef("Hashes stored as they came: %d. The server hashes them once more while nobody logs in, and `signet user stats` counts what is left.", later)
	case r.wrapLater || !r.dryRun || all == 0:
	case later == 0:
		r.app.Notef("Hashes that are fast to guess: %d. Each is hashed once more on the way in, which takes as long as a login.", all)
	default:
		r.app.Notef("Hashes that are fast to guess: %d. Each is hashed once more on the way in, which takes as long as a login; --wrap-later leaves %d to the server.", all, later)
	}
}

// finish prints the report.
func (r *run) finish() error {
	for _, name := range r.table.Unused() {
		r.app.Warn(fmt.Errorf("no user has the field of the claim %s", strconv.Quote(name)))
	}
	for _, w := range r.report.Warnings {
		r.app.Warn(errors.New(w))
	}
	switch n := r.table.LeftOut; {
	case n == 1:
		r.app.Notef("1 record of the file is no person and was left out.")
	case n > 1:
		r.app.Notef("%d records of the file are no people and were left out.", n)
	}
	if r.table.LateRoles() {
		r.app.Warn(errors.New("the file has wp_usermeta behind wp_users, and users came without their roles: " +
			"export with --tables=wp_usermeta,wp_users, and import that with --on-conflict update"))
	}
	if r.report.Accepted+r.report.RefusedCount == 0 {
		r.app.Notef("The file has no users.")
	}
	r.wrapNotes()
	if r.dryRun {
		r.app.Notef("This was a dry run: nothing was changed.")
	}
	if err := r.app.Print(r.report, func(w io.Writer) { WriteReport(w, r.report) }); err != nil {
		return err
	}
	if n := r.factored; n > 0 {
		have := "users have"
		if n == 1 {
			have = "user has"
		}
		r.app.Warn(fmt.Errorf("%d %s one-time passwords, %s", n, have, chooseFactors))
	}
	remedy := ". Fix what is refused and import the file again"
	if r.rejected != "" {
		remedy = fmt.Sprintf(". Fix what is in %s and import that file", r.rejected)
	}
	if err := RefusedError(r.report, remedy); err != nil {
		return err
	}
	if r.factored > 0 {
		return errors.New("the import would stop at the first user with one-time passwords: choose --factors FILE or --drop-factors")
	}
	return nil
}
