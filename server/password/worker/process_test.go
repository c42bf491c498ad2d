package worker

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"signet/server/password/hash"
)

var cheap = hash.Params{Memory: 64, Time: 1, Threads: 1}

// lockedLog collects the log.
type lockedLog struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lockedLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lockedLog) count(text string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.buf.String(), text)
}

// start runs a Process whose child is serve, called with the two ends of its pipes; it ends when they are closed.
func start(t *testing.T, slots int, serve func(in io.Reader, out io.WriteCloser) error) (*Process, *lockedLog) {
	log := &lockedLog{}
	p := newProcess(Config{Log: slog.New(slog.NewTextHandler(log, nil))}, func() (child, error) {
		inR, inW := io.Pipe()
		outR, outW := io.Pipe()
		ended := make(chan error, 1)
		go func() {
			err := serve(inR, outW)
			outW.Close()
			inR.Close()
			ended <- err
		}()
		return child{in: inW, out: outR, kill: func() { inR.Close(); outW.Close() }, wait: func() error { return <-ended }}, nil
	})
	p.Limit(slots, 1<<30, 1<<20)
	t.Cleanup(p.Close)
	return p, log
}

// hashing is what Serve does, without the settings of a process.
func hashing(in io.Reader, out io.WriteCloser) error {
	s, err := greet(in, out)
	if err != nil {
		return err
	}
	return newHasher(s.slots, out).loop(in)
}

func greet(in io.Reader, out io.Writer) (setup, error) {
	first, err := readMessage(in)
	if err != nil {
		return setup{}, err
	}
	s, err := parseSetup(first)
	if err != nil {
		return setup{}, err
	}
	_, err = out.Write(encodeReady())
	return s, err
}

// running waits until the child takes jobs.
func running(t *testing.T, p *Process) {
	t.Helper()
	p.Want()
	synctest.Wait()
	if p.State() != Running {
		t.Fatalf("got state %d, want Running", p.State())
	}
}

func TestJobs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := start(t, 2, hashing)
		if p.State() != Stopped || p.Starts() != 0 {
			t.Error("a child runs before anybody wants it")
		}
		running(t, p)
		made := <-p.Do(Job{Params: cheap, Password: []byte("correct horse")})
		if made.Err != nil || !strings.HasPrefix(made.Stored, "$argon2id$") || made.Match {
			t.Fatalf("made: got %+v", made)
		}
		for password, want := range map[string]bool{"correct horse": true, "wrong horse": false, "": false} {
			if got := <-p.Do(Job{Stored: made.Stored, Password: []byte(password)}); got != (Result{Match: want}) {
				t.Errorf("%q: got %+v", password, got)
			}
		}
		for name, job := range map[string]Job{
			"unknown format":  {Stored: "$unknown$", Password: []byte("x")},
			"too long":        {Stored: strings.Repeat("x", maxMessage), Password: []byte("x")},
			"costs too great": {Params: hash.Params{Memory: 1 << 31, Time: 9}, Password: []byte("x")},
		} {
			if got := <-p.Do(job); got != (Result{Err: ErrFailed}) {
				t.Errorf("%s: got %+v, want ErrFailed", name, got)
			}
		}
		p.Close()
		if got := <-p.Do(Job{Params: cheap}); !errors.Is(got.Err, ErrGone) {
			t.Errorf("after Close: got %+v, want ErrGone", got)
		}
	})
}

// A child that ends, however often, gives up its jobs and is started again after a pause that grows. The log has one warning,
// and a line when it has recovered.
func TestChildEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var crashing atomic.Bool
		crashing.Store(true)
		p, log := start(t, 2, func(in io.Reader, out io.WriteCloser) error {
			if !crashing.Load() {
				return hashing(in, out)
			}
			if _, err := greet(in, out); err != nil {
				return err
			}
			_, err := readMessage(in)
			return errors.Join(err, errors.New("killed in the middle"))
		})
		running(t, p)
		var states []State
		p.Watch(func() { states = append(states, p.State()) })
		begun := time.Now()
		for range 9 {
			for p.State() != Running {
				time.Sleep(100 * time.Millisecond)
				synctest.Wait()
			}
			if got := <-p.Do(Job{Params: cheap, Password: []byte("x")}); got != (Result{Err: ErrGone}) {
				t.Fatalf("got %+v, want ErrGone", got)
			}
			synctest.Wait()
		}
		// 1, 2, 4, 8, 16, 32, 60, 60 s of pauses
		if took := time.Since(begun); took < 183*time.Second || took > 185*time.Second {
			t.Errorf("nine crashes took %v", took)
		}
		if n := log.count("level=WARN"); n != 1 || log.count("killed in the middle") != 1 {
			t.Errorf("got %d warnings, want one with the reason", n)
		}
		crashing.Store(false)
		time.Sleep(2 * lastPause)
		time.Sleep(2 * steady)
		if got := <-p.Do(Job{Params: cheap, Password: []byte("x")}); got.Err != nil {
			t.Errorf("recovered: got %v", got.Err)
		}
		if log.count("runs again") != 1 {
			t.Errorf("recovery: %d lines", log.count("runs again"))
		}
		if p.Starts() != 10 {
			t.Errorf("got %d starts, want 10", p.Starts())
		}
		for _, want := range []State{Starting, Running, Failed} {
			if !strings.Contains(fmt.Sprint(states), fmt.Sprint(int(want))) {
				t.Errorf("states: got %v, without %d", states, want)
			}
		}
	})
}

// Whatever a child answers, a job never gets a match that is not its own: a child that breaks the protocol is ended.
func TestChildBreaksTheProtocol(t *testing.T) {
	for name, answer := range map[string][]byte{
		"another id":         response{id: 99, outcome: outcomeMatch}.encode(),
		"made for a compare": response{id: 1, outcome: outcomeMade, stored: "$argon2id$"}.encode(),
		"no such outcome":    response{id: 1, outcome: 9}.encode(),
		"match with a hash":  response{id: 1, outcome: outcomeMatch, stored: "x"}.encode(),
		"empty":              {0, 0, 0, 0},
		"huge":               {0xff, 0xff, 0xff, 0xff},
		"text":               []byte("Usage: something else\n"),
	} {
		synctest.Test(t, func(t *testing.T) {
			p, log := start(t, 1, func(in io.Reader, out io.WriteCloser) error {
				if _, err := greet(in, out); err != nil {
					return err
				}
				readMessage(in)
				out.Write(answer)
				io.Copy(io.Discard, in)
				return errors.New("ended")
			})
			running(t, p)
			if got := <-p.Do(Job{Stored: "$2b$", Password: []byte("x")}); got != (Result{Err: ErrGone}) {
				t.Errorf("%s: got %+v, want ErrGone", name, got)
			}
			synctest.Wait()
			if p.State() != Failed || log.count("level=WARN") != 1 {
				t.Errorf("%s: state %d, %d warnings", name, p.State(), log.count("level=WARN"))
			}
		})
	}
}

// A child that does not answer the setup, or a job, is killed after a while.
func TestChildHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := start(t, 1, func(in io.Reader, _ io.WriteCloser) error {
			_, err := io.Copy(io.Discard, in)
			return err
		})
		p.Want()
		time.Sleep(startWithin + firstPause/2)
		if p.State() != Failed {
			t.Errorf("without an answer to the setup: got state %d, want Failed", p.State())
		}
	})
	synctest.Test(t, func(t *testing.T) {
		p, _ := start(t, 1, func(in io.Reader, out io.WriteCloser) error {
			if _, err := greet(in, out); err != nil {
				return err
			}
			_, err := io.Copy(io.Discard, in)
			return err
		})
		running(t, p)
		begun := time.Now()
		got := <-p.Do(Job{Stored: "$2b$", Password: []byte("x")})
		if took := time.Since(begun); !errors.Is(got.Err, ErrGone) || took != hangs {
			t.Errorf("got %+v after %v, want ErrGone after %v", got, took, hangs)
		}
	})
}

// What was sent is wiped, and so is what a child that ended was not sent any more.
func TestMessagesAreWiped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		message, _ := request{1, Job{Stored: "$2b$", Password: []byte("correct horse")}}.encode()
		send, ended := make(chan []byte, 1), make(chan struct{})
		wire := &lockedLog{}
		go write(wire, send, ended)
		send <- message
		synctest.Wait()
		close(ended)
		if wire.count("correct horse") != 1 || bytes.Contains(message, []byte("horse")) {
			t.Errorf("sent %d times, and left %q", wire.count("correct horse"), message)
		}
		p, _ := start(t, 1, hashing)
		p.send = make(chan []byte, 1)
		unsent := []byte("correct horse")
		p.send <- unsent
		p.become(Failed)
		if bytes.Contains(unsent, []byte("horse")) {
			t.Errorf("not sent, and left %q", unsent)
		}
	})
}

// The child refuses more jobs at once than were agreed, and wipes what it was sent.
func TestHasher(t *testing.T) {
	in, out := &bytes.Buffer{}, &bytes.Buffer{}
	h := newHasher(1, out)
	h.slots <- struct{}{}
	message, _ := request{1, Job{Params: cheap, Password: []byte("x")}}.encode()
	in.Write(message)
	if err := h.loop(in); !errors.Is(err, errMessage) {
		t.Errorf("one job too many: got %v", err)
	}
	message, _ = request{1, Job{Params: cheap, Password: []byte("correct horse")}}.encode()
	r, err := parseRequest(message[4:])
	if err != nil {
		t.Fatal(err)
	}
	h.answer(r, message)
	if bytes.Contains(message, []byte("correct horse")) {
		t.Error("the password is still there")
	}
}
