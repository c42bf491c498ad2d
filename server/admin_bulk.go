package server

import (
	"errors"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"signet/server/admin/api"
	"signet/server/edge"
	"signet/store"
)

// A bulk verb does to each of many users what a verb of one user does, with that one's event for each. The body has
// a JSON object a line, {"username": …}, which may be a sub as well; the answer is a report as of an import.
func bulk(name string, one func(*Server, *adminRequest) (edge.Response, error)) func(*Server, *adminRequest) (edge.Response, error) {
	return func(s *Server, c *adminRequest) (edge.Response, error) { return s.adminBulk(c, name, one) }
}

type bulkLine struct {
	importing
	one *adminRequest
}

func (s *Server) adminBulk(c *adminRequest, verb string, one func(*Server, *adminRequest) (edge.Response, error)) (edge.Response, error) {
	report := api.Report{Refused: []api.RefusedLine{}}
	lines := newLineReader(http.MaxBytesReader(c.Writer, c.Body, maxImport))
	guard := guardStream(c)
	defer guard.close()
	s.did(c, store.Event{Type: store.EventUserBulkBegin, Detail: map[string]string{"verb": verb}})
	broken := ""
	defer func() {
		detail := map[string]string{"verb": verb, "accepted": strconv.Itoa(report.Accepted), "refused": strconv.Itoa(report.RefusedCount)}
		if broken != "" {
			detail[store.DetailReason] = broken
		}
		s.did(c, store.Event{Type: store.EventUserBulk, At: s.now(), Detail: detail})
	}()
	err := guard.extend()
	for {
		var batch []*bulkLine
		var end error
		if err == nil {
			batch, end = readBulk(c, lines)
			err = guard.step()
		}
		if err == nil {
			err = s.doBulk(batch, one, &report)
		}
		switch {
		case err != nil:
			err = streamStopped(err, report.Accepted, lines.line)
			broken = asError(err).Reason()
			return edge.Response{}, err
		case end == io.EOF:
			return edge.Response{Body: report}, nil
		case end != nil:
			e := adminInvalid("the body broke off after line %d; it was done for %d users: send all of it again", lines.line, report.Accepted)
			e.Close = true
			broken = "the body broke off"
			return edge.Response{}, e
		}
	}
}

// readBulk returns the next lines, and why there are no more after them.
func readBulk(c *adminRequest, lines *lineReader) (batch []*bulkLine, err error) {
	for len(batch) < importBatch {
		data, err := lines.next()
		if err != nil && !errors.Is(err, errLineTooLong) {
			return batch, err
		}
		in := &bulkLine{importing: importing{line: lines.line}}
		var row api.UserLine
		if err != nil {
			in.err = adminInvalid("the line is longer than %d KiB", maxImportLine>>10)
		} else if in.err = decodeJSON(data, &row); in.err == nil {
			in.username = row.Username
			one := *c.Request
			one.Request = c.Request.Request.WithContext(c.Request.Request.Context()) // a copy, for its own path values
			one.SetPathValue("username", row.Username)
			in.one = &adminRequest{Request: &one, rights: c.rights, recheck: c.recheck}
		}
		batch = append(batch, in)
	}
	return batch, nil
}

// doBulk fails only where the store does.
func (s *Server) doBulk(batch []*bulkLine, do func(*Server, *adminRequest) (edge.Response, error), report *api.Report) error {
	var working sync.WaitGroup
	slots := make(chan struct{}, importAtOnce)
	for _, in := range batch {
		if in.err == nil {
			slots <- struct{}{}
			working.Go(func() {
				defer func() { <-slots }()
				in.err = patiently(in.one, func() error { _, err := do(s, in.one); return err })
			})
		}
	}
	working.Wait()
	var failed error
	for _, in := range batch {
		var refused *edge.Error
		switch {
		case in.err == nil:
			report.Accepted++
		case errors.As(in.err, &refused) && refused.Status < http.StatusInternalServerError:
			refuseLine(report, &in.importing, refused.Description)
		default:
			failed = in.err
		}
	}
	return failed
}

// patiently asks again where the store cannot answer for a moment. What it does may be done twice.
func patiently(c *adminRequest, do func() error) (err error) {
	for try := range importTries {
		if err = do(); !errors.Is(err, store.ErrUnavailable) || c.Context().Err() != nil {
			return err
		}
		time.Sleep(200 * time.Millisecond << try)
	}
	return err
}
