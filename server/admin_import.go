package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"

	"signet/server/admin/api"
	"signet/server/edge"
	"signet/server/users"
	"signet/store"
)

const (
	maxImport = 4 << 30 // bytes
	// importBatch lines are written at the same time: a store that commits for many at once then does.
	importBatch = 64
	// importAtOnce of them are on their way together: more would find no free connection to a store across a network.
	importAtOnce = 32
	importTries  = 4 // of one line, while the store cannot answer
)

// importing is one line on its way.
type importing struct {
	line     int
	username string // as it was given
	user     store.User
	err      error
}

// adminImportUsers takes a user table with the hashes of whatever made it, one JSON object a line. A
// line that is refused changes nothing for the others.
func (s *Server) adminImportUsers(c *adminRequest) (edge.Response, error) {
	report := api.Report{Refused: []api.RefusedLine{}}
	lines := newLineReader(http.MaxBytesReader(c.Writer, c.Body, maxImport))
	guard := guardStream(c)
	defer guard.close()
	if err := s.beginning(c, store.Event{Type: store.EventUserImportBegin}); err != nil {
		return edge.Response{}, err
	}
	broken := ""
	defer func() {
		detail := map[string]string{"accepted": strconv.Itoa(report.Accepted), "refused": strconv.Itoa(report.RefusedCount)}
		if broken != "" {
			detail[store.DetailReason] = broken
		}
		s.did(c, store.Event{Type: store.EventUserImport, At: s.now(), Detail: detail})
	}()
	err := guard.extend()
	for {
		var batch []*importing
		var end error
		if err == nil {
			batch, end = s.readBatch(lines)
			err = guard.step() // what was read is taken only from somebody who still may
		}
		if err == nil {
			err = s.importAll(c, batch, &report)
		}
		switch {
		case err != nil:
			err = streamStopped(err, report.Accepted, lines.line)
			broken = asError(err).Reason()
			return edge.Response{}, err
		case end == io.EOF:
			s.hashes.Want()
			return edge.Response{Body: report}, nil
		case end != nil:
			e := adminInvalid("the body broke off after line %d; %d users were accepted: send all of it again, those are then refused as existing", lines.line, report.Accepted)
			e.Close = true
			broken = "the body broke off"
			return edge.Response{}, e
		}
	}
}

// streamStopped is the answer to a stream whose caller lost the right to it on the way: what was accepted stays.
func streamStopped(err error, accepted, line int) error {
	refused := asError(err)
	if refused.Status != http.StatusUnauthorized && refused.Status != http.StatusForbidden {
		return err
	}
	stopped := *refused
	stopped.Close = true
	stopped.Description = fmt.Sprintf("it was stopped before line %d: the access token is no longer good for it; %d users were accepted before", line, accepted)
	if stopped.Status == http.StatusUnauthorized {
		stopped.Code = api.CodeUnauthorized // keeps the description
	}
	return &stopped
}

// readBatch returns the next lines, and why there are no more after them.
func (s *Server) readBatch(lines *lineReader) ([]*importing, error) {
	var batch []*importing
	first := make(map[string]int, importBatch)
	for len(batch) < importBatch {
		data, err := lines.next()
		if errors.Is(err, errLineTooLong) {
			batch = append(batch, &importing{line: lines.line, err: adminInvalid("the line is longer than %d KiB", maxImportLine>>10)})
			continue
		}
		if err != nil {
			return batch, err
		}
		in := s.parseImport(data)
		in.line = lines.line
		if earlier := first[in.user.Username]; earlier > 0 && in.err == nil {
			in.err = adminInvalid("line %d has the same username", earlier)
		} else if in.err == nil {
			first[in.user.Username] = in.line
		}
		batch = append(batch, in)
	}
	return batch, nil
}

func (s *Server) parseImport(line []byte) *importing {
	var row api.UserRecord
	in := &importing{}
	if in.err = decodeJSON(line, &row); in.err != nil {
		return in
	}
	in.username = row.Username
	if row.PasswordHash != "" {
		if err := s.cfg.Passwords.Supported(row.PasswordHash); err != nil {
			in.err = adminInvalid("%s", err)
			return in
		}
	}
	in.user, in.err = s.newUser(row.Username, row.Claims)
	in.user.PasswordHash = row.PasswordHash
	return in
}

// importAll writes the batch and reports on it. It fails only where the store does.
func (s *Server) importAll(c *adminRequest, batch []*importing, report *api.Report) error {
	var writing sync.WaitGroup
	slots := make(chan struct{}, importAtOnce)
	for _, in := range batch {
		if in.err == nil {
			slots <- struct{}{}
			writing.Go(func() {
				defer func() { <-slots }()
				in.err = userProblem(s.createPatiently(c.Context(), in.user, in.username))
			})
		}
	}
	writing.Wait()
	var failed error
	for _, in := range batch {
		var refused *edge.Error
		switch {
		case in.err == nil:
			report.Accepted++
		case errors.As(in.err, &refused):
			refuseLine(report, in, refused.Description)
		default:
			failed = in.err
		}
	}
	return failed
}

// createPatiently asks again where the store cannot answer for a moment. A creation that did happen,
// and whose answer was lost, is then refused as existing.
func (s *Server) createPatiently(ctx context.Context, u store.User, typed string) (err error) {
	for try := range importTries {
		if err = users.Create(ctx, s.store, u, typed); !errors.Is(err, store.ErrUnavailable) || ctx.Err() != nil {
			return err
		}
		time.Sleep(200 * time.Millisecond << try)
	}
	return err
}

func refuseLine(r *api.Report, in *importing, reason string) {
	r.RefusedCount++
	if len(r.Refused) < api.MaxRefused {
		r.Refused = append(r.Refused, api.RefusedLine{Line: in.line, Username: in.username, Reason: reason})
	}
}
