package users

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"time"

	"signet/server/admin/api"
	"signet/server/admin/call"
	"signet/server/admin/input"
	"signet/server/edge"
	"signet/store"
)

const (
	maxBulk = 4 << 30 // bytes of a body
	// bulkBatch lines are worked on together, or those that are there: a store that commits for many at once then does.
	bulkBatch = 256
	// bulkAtOnce of them are on their way together: more would find no free connection to a store across a network.
	bulkAtOnce = 64
	bulkTries  = 4 // of one line, while the store cannot answer
	// maxDistinct lines are in a body whose names and ids must differ: 14 bytes of memory each name and id.
	maxDistinct = 5_000_000
)

// BulkConfig configures Bulk. Every field is required.
type BulkConfig struct {
	Users        *Users
	ImportKeys   [][32]byte              // of the digests of imported hashes, the first is in use
	Upstream     bool                    // there is one that is asked for passwords
	SampleHashes func()                  // looks soon which formats of password hashes the store has
	WrapHashes   func()                  // soon wraps those that an import has left for later
	Error        func(error) *edge.Error // returns the response for any error
}

// Bulk has the verbs that work on many users. The body has a JSON object a line. A line that is refused changes
// nothing for the others, and sending the same lines again does no harm.
type Bulk struct {
	users        *Users
	rec          call.Recorder
	now          func() time.Time
	importKeys   [][32]byte
	upstream     bool
	sampleHashes func()
	wrapHashes   func()
	asError      func(error) *edge.Error
}

// NewBulk returns the verbs.
func NewBulk(cfg BulkConfig) *Bulk {
	return &Bulk{users: cfg.Users, rec: cfg.Users.rec, now: cfg.Users.now, importKeys: cfg.ImportKeys, upstream: cfg.Upstream,
		sampleHashes: cfg.SampleHashes, wrapHashes: cfg.WrapHashes, asError: cfg.Error}
}

// job is what a verb does with its lines.
type job struct {
	begin    func() error        // records the beginning
	end      store.Event         // recorded at the end, with the counts; without a type nothing is
	read     func([]byte, *line) // reads a line, which sets do or err
	distinct bool                // two lines with the same key or id are refused
	names    keySet
	ids      keySet
	done     func()              // called at the end, however it came; nil: nothing is
	each     func([]*line) error // gets every batch when it was worked on; nil: nothing does
	report   api.Report          // as it is before the first line
	brokeOff string              // message for a body that breaks off: a format with the number of the line and the count
}

// line is one line on its way.
type line struct {
	number   int
	username string // as it was given
	key      string // the canonical username where lines must be distinct
	id       string // in the old system, where lines must be distinct; may be empty
	do       func() error
	err      error

	wraps, later            bool   // of an import: its hash must be wrapped, and may be wrapped later
	result, subject, reason string // of an import; see api.ImportLine. A reason without an error is why a password was kept
}

// Each does to each of many users what a verb of one user does, with that one's event for each.
func (h *Bulk) Each(name string, one func(*call.Request) (edge.Response, error)) func(*call.Request) (edge.Response, error) {
	return func(r *call.Request) (edge.Response, error) {
		detail := map[string]string{"verb": name}
		return h.run(r, job{
			begin: func() error {
				h.rec.OK(r, store.Event{Type: store.EventUserBulkBegin, Detail: detail})
				return nil
			},
			end: store.Event{Type: store.EventUserBulk, Detail: detail},
			read: func(data []byte, l *line) {
				var row api.UserLine
				if l.err = input.DecodeJSON(data, &row); l.err != nil {
					return
				}
				l.username = row.Username
				inner := ofUser(r, row.Username)
				l.do = func() error { _, err := one(inner); return err }
			},
			brokeOff: "the body broke off after line %d (users for whom it was done: %d): send all of it again",
		})
	}
}

// ofUser returns a copy of the request with the user in its path.
func ofUser(r *call.Request, name string) *call.Request {
	inner := *r.Request
	inner.Request = r.Request.Request.WithContext(r.Request.Request.Context()) // a copy, for its own path values
	inner.SetPathValue("username", name)
	return &call.Request{Request: &inner, Rights: r.Rights, Recheck: r.Recheck}
}

func (h *Bulk) run(r *call.Request, j job) (edge.Response, error) {
	report := j.report
	report.Refused = []api.ReportLine{}
	lines := input.NewLines(http.MaxBytesReader(r.Writer, r.Body, maxBulk))
	guard := call.NewGuard(r)
	defer guard.Close()
	if j.done != nil {
		defer j.done()
	}
	if err := j.begin(); err != nil {
		return edge.Response{}, err
	}
	broken := ""
	defer func() {
		detail := map[string]string{"accepted": strconv.Itoa(report.Accepted), "refused": strconv.Itoa(report.RefusedCount)}
		maps.Copy(detail, j.end.Detail)
		if broken != "" {
			detail[store.DetailReason] = broken
		}
		if j.end.Type == "" {
			return
		}
		j.end.At, j.end.Detail = h.now(), detail
		h.rec.OK(r, j.end)
	}()
	err := guard.Extend()
	for {
		var batch []*line
		var end error
		if err == nil {
			batch, end = readBatch(lines, &j)
			err = guard.Step() // lines are taken only from a caller who still has the right
		}
		if err == nil {
			err = work(r.Context(), guard, batch, &report)
			if j.each != nil {
				if writing := j.each(batch); err == nil {
					err = writing
				}
			}
		}
		switch {
		case err != nil:
			err = stopped(err, report.Accepted, lines.Number())
			broken = h.asError(err).Reason()
			return edge.Response{}, err
		case errors.Is(end, io.EOF):
			return edge.Response{Body: report}, nil
		case end != nil:
			var e *edge.Error
			if !errors.As(end, &e) {
				e = input.Invalid(j.brokeOff, lines.Number(), report.Accepted)
			}
			e.Close = true
			broken = e.Description
			return edge.Response{}, e
		}
	}
}

// stopped is the response to a stream whose caller lost the right to it on the way. What was accepted stays.
func stopped(err error, accepted, number int) error {
	var refused *edge.Error
	if !errors.As(err, &refused) || refused.Status != http.StatusUnauthorized && refused.Status != http.StatusForbidden {
		return err
	}
	e := *refused
	e.Close = true
	e.Description = fmt.Sprintf("it was stopped before line %d: the access token is no longer good for it (accepted users before: %d)", number, accepted)
	if e.Status == http.StatusUnauthorized {
		e.Code = api.CodeUnauthorized // keeps the description
	}
	return &e
}

// readBatch returns the next lines, and why there are no more after them.
func readBatch(lines *input.Lines, j *job) (batch []*line, err error) {
	for len(batch) == 0 || len(batch) < bulkBatch && lines.More() {
		data, err := lines.Next()
		if err != nil && !errors.Is(err, input.ErrLineTooLong) {
			return batch, err
		}
		l := &line{number: lines.Number()}
		if err != nil {
			l.err = input.Invalid("the line is longer than %d KiB", input.MaxLine>>10)
		} else {
			j.read(data, l)
		}
		if l.err == nil && j.distinct {
			if err := j.differ(l); err != nil {
				return batch, err
			}
		}
		batch = append(batch, l)
	}
	return batch, nil
}

// keySet holds hashes of keys. They are seeded, so two names that collide cannot be made on purpose.
type keySet struct {
	seed maphash.Seed
	keys map[uint64]struct{}
}

// add reports whether the key is new, and keeps it.
func (s *keySet) add(key string) bool {
	if s.keys == nil {
		s.seed, s.keys = maphash.MakeSeed(), make(map[uint64]struct{})
	}
	before := len(s.keys)
	s.keys[maphash.String(s.seed, key)] = struct{}{}
	return len(s.keys) > before
}

// differ refuses a line with the name or the id of an earlier one: two users would be made of one. Its error ends the body.
func (j *job) differ(l *line) error {
	switch {
	case len(j.names.keys) == maxDistinct:
		return input.Invalid("send at most %d users in one request; those before line %d were accepted", maxDistinct, l.number)
	case !j.names.add(l.key):
		l.err = input.Invalid("an earlier line has the same username")
	case l.id != "" && !j.ids.add(l.id):
		l.err = input.Invalid("an earlier line has the same id: two users would have it")
	}
	return nil
}

// work carries out the lines and adds to the report. It fails if the store does, or if the caller loses the right to it:
// lines that have not begun then are left out. Lines whose hash is wrapped take their time, so each gives the stream more.
func work(ctx context.Context, guard *call.Guard, batch []*line, report *api.Report) error {
	var working sync.WaitGroup
	slots := make(chan struct{}, bulkAtOnce)
	for _, l := range batch {
		if l.err == nil {
			slots <- struct{}{}
			working.Go(func() {
				defer func() {
					if p := recover(); p != nil {
						l.err = edge.Recovered(p)
					}
					<-slots
				}()
				if err := guard.Extend(); err != nil {
					l.err = errLeftOut
					return
				}
				l.err = retry(ctx, l.do)
				_ = guard.Extend() // its error is that of the next step
			})
		}
	}
	working.Wait()
	var failed error
	for _, l := range batch {
		var refused *edge.Error
		switch {
		case l.err == nil:
			report.Accepted++
			switch l.result {
			case api.ImportCreated:
				report.Created++
			case api.ImportUpdated:
				report.Updated++
			case api.ImportUnchanged:
				report.Unchanged++
			case api.ImportSkipped:
				report.Skipped++
			}
			if l.wraps {
				report.Wrapped++
			}
			if l.later {
				report.WrapLater++
			}
			if l.reason != "" {
				report.KeptCount++
				if len(report.Kept) < api.MaxRefused {
					report.Kept = append(report.Kept, api.ReportLine{Line: l.number, Username: l.username, Reason: l.reason})
				}
			}
		case errors.As(l.err, &refused) && refused.Status < http.StatusInternalServerError:
			report.RefusedCount++
			if len(report.Refused) < api.MaxRefused {
				report.Refused = append(report.Refused, api.ReportLine{Line: l.number, Username: l.username, Reason: refused.Description})
			}
		default:
			failed = l.err
		}
	}
	if failed != nil {
		failed = guard.Cause(failed)
	}
	return failed
}

// errLeftOut marks a line that was not carried out.
var errLeftOut = errors.New("the stream has ended before this line")

// retry repeats a step while the store is unavailable for a moment. A step whose result was lost is then done twice.
func retry(ctx context.Context, do func() error) (err error) {
	for try := 1; ; try++ {
		if err = do(); !errors.Is(err, store.ErrUnavailable) || try == bulkTries {
			return err
		}
		select {
		case <-time.After(100 * time.Millisecond << try):
		case <-ctx.Done():
			return err
		}
	}
}
