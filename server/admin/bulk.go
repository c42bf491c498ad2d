package admin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"time"

	"signet/server/admin/api"
	"signet/server/edge"
	"signet/store"
)

const (
	maxBulk = 4 << 30 // bytes of a body
	// bulkBatch lines are worked on at the same time: a store that commits for many at once then does.
	bulkBatch = 64
	// bulkAtOnce of them are on their way together: more would find no free connection to a store across a network.
	bulkAtOnce = 32
	bulkTries  = 4 // of one line, while the store cannot answer
)

// bulk has the verbs that work on many users. The body has a JSON object a line. A line that is refused changes
// nothing for the others, and sending the same lines again does no harm.
type bulk struct {
	users        *users
	rec          recorder
	now          func() time.Time
	sampleHashes func()
	asError      func(error) *edge.Error
}

// job is what a verb does with its lines.
type job struct {
	begin    func() error        // records the beginning
	end      store.Event         // recorded at the end, with the counts
	read     func([]byte, *line) // reads a line, which sets do or err
	brokeOff string              // message for a body that breaks off: a format with the number of the line and the count
}

// line is one line on its way.
type line struct {
	number   int
	username string // as it was given
	key      string // two lines of a batch with the same key are not worked on together; empty: any may be
	do       func() error
	err      error
}

// importUsers adds a user table with the password hashes of another system.
func (h *bulk) importUsers(r *Request) (edge.Response, error) {
	answer, err := h.run(r, job{
		begin: func() error { return h.rec.begin(r, store.Event{Type: store.EventUserImportBegin}) },
		end:   store.Event{Type: store.EventUserImport},
		read: func(data []byte, l *line) {
			var row api.UserRecord
			if l.err = decodeJSON(data, &row); l.err != nil {
				return
			}
			l.username = row.Username
			user, err := h.users.imported(row)
			l.key, l.err = user.Username, err
			l.do = func() error { return userError(h.users.add(r.Context(), user, row.Username)) }
		},
		brokeOff: "the body broke off after line %d; %d users were accepted: send all of it again, those are then refused as existing",
	})
	if err == nil {
		h.sampleHashes()
	}
	return answer, err
}

// each does to each of many users what a verb of one user does, with that one's event for each.
func (h *bulk) each(name string, one func(*Request) (edge.Response, error)) func(*Request) (edge.Response, error) {
	return func(r *Request) (edge.Response, error) {
		detail := map[string]string{"verb": name}
		return h.run(r, job{
			begin: func() error {
				h.rec.ok(r, store.Event{Type: store.EventUserBulkBegin, Detail: detail})
				return nil
			},
			end: store.Event{Type: store.EventUserBulk, Detail: detail},
			read: func(data []byte, l *line) {
				var row api.UserLine
				if l.err = decodeJSON(data, &row); l.err != nil {
					return
				}
				l.username = row.Username
				inner := r.ofUser(row.Username)
				l.do = func() error { _, err := one(inner); return err }
			},
			brokeOff: "the body broke off after line %d; it was done for %d users: send all of it again",
		})
	}
}

// ofUser returns a copy of the request with the user in its path.
func (r *Request) ofUser(name string) *Request {
	inner := *r.Request
	inner.Request = r.Request.Request.WithContext(r.Request.Request.Context()) // a copy, for its own path values
	inner.SetPathValue("username", name)
	return &Request{Request: &inner, rights: r.rights, recheck: r.recheck}
}

func (h *bulk) run(r *Request, j job) (edge.Response, error) {
	report := api.Report{Refused: []api.RefusedLine{}}
	lines := newLineReader(http.MaxBytesReader(r.Writer, r.Body, maxBulk))
	guard := guardStream(r)
	defer guard.close()
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
		j.end.At, j.end.Detail = h.now(), detail
		h.rec.ok(r, j.end)
	}()
	err := guard.extend()
	for {
		var batch []*line
		var end error
		if err == nil {
			batch, end = readBatch(lines, j.read)
			err = guard.step() // lines are taken only from a caller who still has the right
		}
		if err == nil {
			err = work(r.Context(), batch, &report)
		}
		switch {
		case err != nil:
			err = stopped(err, report.Accepted, lines.line)
			broken = h.asError(err).Reason()
			return edge.Response{}, err
		case errors.Is(end, io.EOF):
			return edge.Response{Body: report}, nil
		case end != nil:
			e := invalid(j.brokeOff, lines.line, report.Accepted)
			e.Close = true
			broken = "the body broke off"
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
	e.Description = fmt.Sprintf("it was stopped before line %d: the access token is no longer good for it; %d users were accepted before", number, accepted)
	if e.Status == http.StatusUnauthorized {
		e.Code = api.CodeUnauthorized // keeps the description
	}
	return &e
}

// readBatch returns the next lines, and why there are no more after them.
func readBatch(lines *lineReader, read func([]byte, *line)) (batch []*line, err error) {
	first := make(map[string]int, bulkBatch)
	for len(batch) < bulkBatch {
		data, err := lines.next()
		if err != nil && !errors.Is(err, errLineTooLong) {
			return batch, err
		}
		l := &line{number: lines.line}
		if err != nil {
			l.err = invalid("the line is longer than %d KiB", maxLine>>10)
		} else {
			read(data, l)
		}
		if l.err == nil && l.key != "" {
			if earlier := first[l.key]; earlier > 0 {
				l.err = invalid("line %d has the same username", earlier)
			} else {
				first[l.key] = l.number
			}
		}
		batch = append(batch, l)
	}
	return batch, nil
}

// work carries out the lines and adds to the report. It fails only if the store does.
func work(ctx context.Context, batch []*line, report *api.Report) error {
	var working sync.WaitGroup
	slots := make(chan struct{}, bulkAtOnce)
	for _, l := range batch {
		if l.err == nil {
			slots <- struct{}{}
			working.Go(func() {
				defer func() { <-slots }()
				l.err = retry(ctx, l.do)
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
		case errors.As(l.err, &refused) && refused.Status < http.StatusInternalServerError:
			report.RefusedCount++
			if len(report.Refused) < api.MaxRefused {
				report.Refused = append(report.Refused, api.RefusedLine{Line: l.number, Username: l.username, Reason: refused.Description})
			}
		default:
			failed = l.err
		}
	}
	return failed
}

// retry repeats a step while the store is unavailable for a moment. A step whose result was lost is then done twice: a
// user whose creation succeeded is refused as existing.
func retry(ctx context.Context, do func() error) (err error) {
	for try := range bulkTries {
		if err = do(); !errors.Is(err, store.ErrUnavailable) || ctx.Err() != nil {
			return err
		}
		time.Sleep(200 * time.Millisecond << try)
	}
	return err
}
