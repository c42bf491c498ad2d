package worker

import (
	"errors"
	"io"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"signet/server/password/hash"
)

// idleFree is how long after the last hash the memory of hashes goes back to the system.
const idleFree = time.Second

// collectAt is the GOGC of the child. Almost all of its memory is that of hashes, and to collect it costs next to nothing. At
// Go's 100 twice as much is in use, and each hash takes a few percent longer, because more of the memory is new.
const collectAt = 25

// mostHugePages bounds what is asked for as huge pages, in bytes.
const mostHugePages = 1 << 30

// Serve is the child process: it hashes what comes in until that ends, and returns nil then. Before it reports that it is
// ready, all its threads are put in the idle class.
func Serve(in io.Reader, out io.Writer) error {
	first, err := readMessage(in)
	if err != nil {
		return err
	}
	s, err := parseSetup(first)
	if err != nil {
		return err
	}
	runtime.GOMAXPROCS(s.slots)
	debug.SetGCPercent(collectAt)
	debug.SetMemoryLimit(int64(min(s.memory+ownMemory, 1<<62)))
	reserveHugePages(min(uint64(s.slots+1)*s.usual, s.memory, mostHugePages)) // one more than at once: the garbage of the last hash
	if err := enterIdleClass(); err != nil {
		return err
	}
	if _, err := out.Write(encodeReady()); err != nil {
		return err
	}
	return newHasher(s.slots, out).loop(in)
}

// ownMemory is what the child takes beside its hashes, in bytes.
const ownMemory = 16 << 20

// hasher is the state of Serve.
type hasher struct {
	slots chan struct{} // holds one element for every hash under way
	calm  *time.Timer   // gives memory back

	mu  sync.Mutex // guards out
	out io.Writer
}

func newHasher(slots int, out io.Writer) *hasher {
	return &hasher{slots: make(chan struct{}, slots), calm: time.AfterFunc(idleFree, debug.FreeOSMemory), out: out}
}

func (c *hasher) loop(in io.Reader) error {
	for {
		message, err := readMessage(in)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		r, err := parseRequest(message)
		if err != nil {
			return err
		}
		select {
		case c.slots <- struct{}{}:
		default:
			return errMessage // more than was agreed
		}
		go c.answer(r, message)
	}
}

// answer does the job of a message. The slot is free before the response can be read, so that the next request finds it.
func (c *hasher) answer(r request, message []byte) {
	done := do(r)
	clear(message)
	c.calm.Reset(idleFree)
	c.mu.Lock()
	defer c.mu.Unlock()
	<-c.slots
	c.out.Write(done.encode()) // an error means that the server has ended, and then the input ends as well
}

func do(r request) (done response) {
	done = response{id: r.id, outcome: outcomeFailed}
	defer func() {
		if recover() != nil { // by a stored hash that no code expected; the process goes on for the others
			done = response{id: r.id, outcome: outcomeFailed}
		}
	}()
	if r.Stored == "" {
		if r.Params.Validate() == nil {
			done.outcome, done.stored = outcomeMade, hash.New(r.Params, r.Password).String()
		}
		return done
	}
	switch h, err := hash.Parse(r.Stored); {
	case err != nil:
	case h.Verify(r.Password):
		done.outcome = outcomeMatch
	default:
		done.outcome = outcomeNoMatch
	}
	return done
}
