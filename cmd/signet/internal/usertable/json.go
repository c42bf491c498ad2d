package usertable

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// openJSON reads an object a line, objects that follow each other in any layout, or an array of objects.
func openJSON(in *input, _ *Reader) (source, error) {
	if in.firstByte() == '[' {
		return openArray(in)
	}
	start, _ := in.Peek(in.Buffered())
	if line, _, found := bytes.Cut(start, []byte("\n")); found && string(bytes.TrimSpace(line)) == "{" {
		return &values{in: in, dec: newDecoder(in)}, nil
	}
	return &lines{in: in, line: in.skipped}, nil
}

// lines has an object a line.
type lines struct {
	in   *input
	line int
}

func (s *lines) next() (map[string]any, int, error) {
	for {
		data, err := s.readLine()
		if err != nil {
			return nil, s.line, err
		}
		if data = bytes.TrimSpace(data); len(data) == 0 {
			continue
		}
		rec, err := decode(data)
		if err != nil {
			err = &recordError{text: string(data[:min(len(data), maxLine)]), err: err}
		}
		return rec, s.line, err
	}
}

// readLine returns the next line. One that is too long is skipped.
func (s *lines) readLine() ([]byte, error) {
	var long []byte
	for {
		s.in.recordEnds()
		part, err := s.in.ReadSlice('\n')
		long = append(long[:min(len(long), maxRecord)], part...)
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && (!errors.Is(err, io.EOF) || len(long) == 0):
			return nil, err
		}
		s.line++
		if len(long) > maxRecord {
			return nil, &recordError{text: string(long[:cutText]), err: fmt.Errorf("the line is longer than %d KiB, and its text is cut", maxRecord>>10)}
		}
		return long, nil
	}
}

// values has objects one after another, or those of an array.
type values struct {
	in    *input
	dec   *jsontext.Decoder
	array bool
	n     int
	close func() error // reads what is behind the array
}

func newDecoder(in io.Reader) *jsontext.Decoder {
	return jsontext.NewDecoder(in, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
}

func openArray(in *input) (source, error) {
	s := &values{in: in, dec: newDecoder(in), array: true}
	if _, err := s.dec.ReadToken(); err != nil {
		return nil, s.broken(err)
	}
	return s, nil
}

func (s *values) next() (map[string]any, int, error) {
	if s.array && s.dec.PeekKind() == ']' {
		_, _ = s.dec.ReadToken() // it is there
		if s.close != nil {
			return nil, s.n, s.close()
		}
		if _, err := s.dec.ReadToken(); !errors.Is(err, io.EOF) {
			return nil, s.n, errors.New("something follows the end of the JSON array")
		}
		return nil, s.n, io.EOF
	}
	data, err := s.dec.ReadValue()
	if errors.Is(err, io.EOF) && !s.array {
		return nil, s.n, io.EOF
	}
	if err != nil {
		return nil, s.n, s.broken(err)
	}
	s.in.recordEnds()
	s.n++
	rec, err := decode(data)
	if err != nil {
		err = &recordError{text: string(data[:min(len(data), maxLine)]), err: err}
	}
	return rec, s.n, err
}

// broken words an error after which the rest of the file cannot be read.
func (s *values) broken(err error) error {
	for _, ofFile := range []error{errRecordTooLong, errGzipCut, errGzipDamaged} {
		if errors.Is(err, ofFile) {
			return fmt.Errorf("after record %d: %w", s.n, ofFile)
		}
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return fmt.Errorf("the file ends in the middle, after record %d", s.n)
	}
	if _, syntax := errors.AsType[*jsontext.SyntacticError](err); syntax {
		return fmt.Errorf("the file is not valid JSON after record %d, near byte %d", s.n, s.dec.InputOffset())
	}
	return fmt.Errorf("reading the file after record %d: %w", s.n, err)
}

// openUsers finds the array "users" of an object, as Firebase and Keycloak write it, of a realm in an array of realms,
// or takes an array of users.
func openUsers(in *input, r *Reader) (source, error) {
	s := &values{in: in, dec: newDecoder(in), array: true}
	switch in.firstByte() {
	case '{':
		_, _ = s.dec.ReadToken()
		s.close = s.restOfObject
		found, err := s.findUsers(r)
		if err == nil && !found {
			err = errors.New(`the file has no "users"; export the users with the rest, or choose another format`)
			if r.opts.Realm != "" {
				err = fmt.Errorf("the file has no users of the realm %q", r.opts.Realm)
			}
		}
		return s, err
	case '[':
		_, _ = s.dec.ReadToken()
		if r.opts.Format != "keycloak" {
			return s, nil
		}
		return s, s.findRealm(r)
	}
	return nil, errors.New("the file is not JSON")
}

// findUsers reads members of the object until the array of users has begun.
func (s *values) findUsers(r *Reader) (bool, error) {
	for s.dec.PeekKind() == '"' {
		name, err := s.dec.ReadToken()
		if err != nil {
			return false, s.broken(err)
		}
		member := name.String()
		if member == "users" && s.dec.PeekKind() == '[' {
			_, err = s.dec.ReadToken()
			return err == nil, err
		}
		if member == "realm" && s.dec.PeekKind() == '"' {
			realm, err := s.dec.ReadToken()
			if err != nil {
				return false, s.broken(err)
			}
			if r.opts.Realm != "" && realm.String() != r.opts.Realm {
				return false, s.skipObject()
			}
			continue
		}
		if err := s.skip(); err != nil {
			return false, s.broken(err)
		}
	}
	_, err := s.dec.ReadToken()
	if err != nil {
		return false, s.broken(err)
	}
	return false, nil
}

// skip reads a value without holding it.
func (s *values) skip() error {
	for depth := s.dec.StackDepth(); ; {
		if _, err := s.dec.ReadToken(); err != nil {
			return err
		}
		s.in.recordEnds()
		if s.dec.StackDepth() == depth {
			return nil
		}
	}
}

// skipObject reads to the end of the object that is open.
func (s *values) skipObject() error {
	depth := s.dec.StackDepth()
	for s.dec.StackDepth() >= depth {
		if _, err := s.dec.ReadToken(); err != nil {
			return s.broken(err)
		}
		s.in.recordEnds()
	}
	return nil
}

// restOfObject reads what is behind the users. Users there would be missing from what was imported.
func (s *values) restOfObject() error {
	for s.dec.PeekKind() == '"' {
		name, err := s.dec.ReadToken()
		if err == nil && name.String() == "users" {
			return errors.New(`the file has "users" twice, and the second ones were not read`)
		}
		if err == nil {
			err = s.skip()
		}
		if err != nil {
			return s.broken(err)
		}
	}
	if _, err := s.dec.ReadToken(); err != nil {
		return s.broken(err)
	}
	if _, err := s.dec.ReadToken(); !errors.Is(err, io.EOF) {
		return errors.New("something follows the end of the JSON object")
	}
	return io.EOF
}

// findRealm finds the users of the one realm that is chosen, in an array of realms.
func (s *values) findRealm(r *Reader) error {
	if r.opts.Realm == "" {
		return errors.New("the file has several realms; choose one with --realm")
	}
	for s.dec.PeekKind() == '{' {
		_, _ = s.dec.ReadToken()
		found, err := s.findUsers(r)
		if err != nil {
			return err
		}
		if found {
			s.close = func() error { // other realms are behind it
				if err := s.skipObject(); err != nil {
					return err
				}
				if err := s.skipObject(); err != nil {
					return err
				}
				return io.EOF
			}
			return nil
		}
	}
	return fmt.Errorf("the file has no users of the realm %q", r.opts.Realm)
}
