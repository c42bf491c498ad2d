package worker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"signet/server/password/hash"
)

// ErrGone: the child ended before it answered. Nothing is known of the password.
var ErrGone = errors.New("the process that hashes passwords has ended")

// ErrFailed: the child could not do the job.
var ErrFailed = errors.New("the process that hashes passwords cannot read this hash")

// Job is one hash to do.
type Job struct {
	Stored   string      // compared with the password; "": a new hash is made
	Params   hash.Params // of a new hash
	Password []byte
}

// Result is the answer to a Job.
type Result struct {
	Match  bool   // the password is the right one
	Stored string // the new hash
	Err    error  // ErrGone or ErrFailed
}

// State is what a Process can do at present.
type State int

// The states of a Process.
const (
	Stopped  State = iota // not asked for; Want starts it
	Starting              // ready within moments
	Running               // takes jobs
	Failed                // it ended or could not be started, and is tried again later
)

// Config configures a Process.
type Config struct {
	Program string   // the path of a program that calls Serve when it is started with these Args
	Args    []string // with the name of the program first
	Log     *slog.Logger
}

// How long a child may take.
const (
	startWithin = 10 * time.Second // to be ready
	hangs       = time.Minute      // for one hash; then it is taken for stuck
	steady      = time.Minute      // after so long it counts as recovered
)

// The pause before a child that ended is started again.
const (
	firstPause = time.Second
	lastPause  = time.Minute
)

// Process is the server's side: it starts the child, sends it jobs, and starts it again when it ends.
type Process struct {
	cfg    Config
	limits setup // set before the first Want
	start  func() (child, error)
	wanted chan struct{} // closed by the first Want
	want   sync.Once
	closed chan struct{}
	close  sync.Once
	done   chan struct{} // closed when there is no child any more

	mu      sync.Mutex
	state   State              // guarded by mu
	changed func()             // guarded by mu
	starts  uint64             // guarded by mu
	child   child              // guarded by mu; set while Running
	send    chan []byte        // guarded by mu; to the child
	next    uint32             // guarded by mu; id of the next job
	pending map[uint32]pending // guarded by mu
	warned  bool               // guarded by mu; the log has that no child runs
}

// child is a process that was started.
type child struct {
	in   io.WriteCloser
	out  io.Reader
	pid  int
	kill func()
	wait func() error // until it has ended; returns why
}

// pending is a job under way.
type pending struct {
	result chan<- Result
	makes  bool        // a new hash
	stuck  *time.Timer // kills the child
}

// New returns a Process. It starts no child before Want is called.
func New(c Config) *Process {
	return newProcess(c, func() (child, error) { return execute(c.Program, c.Args) })
}

func newProcess(c Config, start func() (child, error)) *Process {
	p := &Process{cfg: c, start: start, wanted: make(chan struct{}), closed: make(chan struct{}), done: make(chan struct{}),
		pending: map[uint32]pending{}, changed: func() {}}
	go p.supervise()
	return p
}

// Limit sets how many hashes there may be at once, how many bytes they may take together, and how many most of them take. It
// is called once, before Want.
func (p *Process) Limit(slots int, memory, usual uint64) { p.limits = setup{slots, memory, usual} }

// Want has the child started if it is not.
func (p *Process) Want() { p.want.Do(func() { close(p.wanted) }) }

// Watch has f called after each change of the state.
func (p *Process) Watch(f func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.changed = f
}

// State returns what it can do at present.
func (p *Process) State() State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state
}

// Starts returns how often a child was started.
func (p *Process) Starts() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.starts
}

// CPUTime returns what the child that runs has used of the processors. ok is false if there is none, or if the system has no
// clock for that.
func (p *Process) CPUTime() (used time.Duration, ok bool) {
	p.mu.Lock()
	pid := p.child.pid
	p.mu.Unlock()
	if pid == 0 {
		return 0, false
	}
	return cpuTime(pid)
}

// Close ends the child and waits for that. Jobs under way get ErrGone.
func (p *Process) Close() {
	p.close.Do(func() { close(p.closed) })
	<-p.done
}

// Do sends a job to the child and returns at once. The channel gets exactly one Result. The caller sees to it that no more
// than Limit allows are under way. j.Password is not used after Do has returned.
func (p *Process) Do(j Job) <-chan Result {
	result := make(chan Result, 1)
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.state != Running {
		result <- Result{Err: ErrGone}
		return result
	}
	p.next++
	message, err := request{id: p.next, Job: j}.encode()
	if err != nil {
		result <- Result{Err: ErrFailed}
		return result
	}
	select {
	case p.send <- message:
		p.pending[p.next] = pending{result, j.Stored == "", time.AfterFunc(hangs, p.child.kill)}
	default: // a child that reads nothing
		clear(message)
		result <- Result{Err: ErrGone}
	}
	return result
}

// supervise keeps a child until Close. The kernel kills the child when the thread that started it ends, so this goroutine
// keeps its thread.
func (p *Process) supervise() {
	defer close(p.done)
	select {
	case <-p.wanted:
	case <-p.closed:
		return
	}
	runtime.LockOSThread()
	for pause := firstPause; ; pause = min(2*pause, lastPause) {
		begun := time.Now()
		p.become(Starting)
		err := p.run()
		select {
		case <-p.closed:
			p.become(Stopped)
			return
		default:
		}
		if time.Since(begun) >= steady {
			pause = firstPause
		}
		p.warn(err, pause)
		p.become(Failed)
		select {
		case <-p.closed:
			return
		case <-time.After(pause):
		}
	}
}

// warn logs the end of a child: one warning until a child has run for a while.
func (p *Process) warn(err error, pause time.Duration) {
	p.mu.Lock()
	level := slog.LevelDebug
	if !p.warned {
		level, p.warned = slog.LevelWarn, true
	}
	p.mu.Unlock()
	p.cfg.Log.Log(context.Background(), level, "the process that hashes passwords does not run; the server hashes itself meanwhile, "+
		"which makes other requests slower while users log in", slog.Any("error", err), slog.Duration("next_try", pause))
}

func (p *Process) recovered() {
	p.mu.Lock()
	warned := p.warned
	p.warned = false
	p.mu.Unlock()
	if warned {
		p.cfg.Log.Info("the process that hashes passwords runs again")
	}
}

// become sets the state, and answers the jobs that no child will answer.
func (p *Process) become(s State) {
	p.mu.Lock()
	p.state = s
	if s != Running {
		for len(p.send) > 0 {
			select {
			case message := <-p.send: // it was not sent
				clear(message)
			default:
			}
		}
		p.child, p.send = child{}, nil
		for id, job := range p.pending {
			job.stuck.Stop()
			job.result <- Result{Err: ErrGone}
			delete(p.pending, id)
		}
	}
	changed := p.changed
	p.mu.Unlock()
	changed()
}

// run starts a child, and returns why it has ended.
func (p *Process) run() error {
	c, err := p.start()
	if err != nil {
		return err
	}
	p.mu.Lock()
	p.starts++
	p.mu.Unlock()
	ended := make(chan struct{})
	defer close(ended)
	go func() {
		select {
		case <-p.closed:
			c.kill()
		case <-ended:
		}
	}()
	err = p.talk(c)
	c.kill()
	if exit := c.wait(); errors.Is(err, io.EOF) {
		return exit
	}
	return err
}

// talk sends the setup and then jobs, and hands out results, until the child's output ends or makes no sense.
func (p *Process) talk(c child) error {
	defer c.in.Close()
	late := time.AfterFunc(startWithin, c.kill)
	defer late.Stop()
	if _, err := c.in.Write(p.limits.encode()); err != nil {
		return io.EOF // wait has the reason
	}
	answer, err := readMessage(c.out)
	if err != nil {
		return err
	}
	if !late.Stop() || !isReady(answer) {
		return errors.New("it did not start as it should")
	}
	send, ended := make(chan []byte, 2*p.limits.slots), make(chan struct{})
	defer close(ended)
	go write(c.in, send, ended)
	p.mu.Lock()
	p.child, p.send = c, send
	p.mu.Unlock()
	p.become(Running)
	defer time.AfterFunc(steady, p.recovered).Stop()
	return p.receive(c.out)
}

// write sends messages until the child has ended, and wipes them.
func write(in io.Writer, send <-chan []byte, ended <-chan struct{}) {
	for {
		select {
		case message := <-send:
			in.Write(message) // after an error the child has ended
			clear(message)
		case <-ended:
			return
		}
	}
}

func (p *Process) receive(out io.Reader) error {
	for {
		message, err := readMessage(out)
		if err != nil {
			return err
		}
		r, err := parseResponse(message)
		clear(message)
		if err != nil {
			return err
		}
		if err := p.deliver(r); err != nil {
			return err
		}
	}
}

func (p *Process) deliver(r response) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	job, ok := p.pending[r.id]
	if !ok || r.outcome != outcomeFailed && job.makes != (r.outcome == outcomeMade) {
		return fmt.Errorf("%w: no job has this result", errMessage)
	}
	delete(p.pending, r.id)
	job.stuck.Stop()
	result := Result{Match: r.outcome == outcomeMatch, Stored: r.stored}
	if r.outcome == outcomeFailed {
		result.Err = ErrFailed
	}
	job.result <- result
	return nil
}
