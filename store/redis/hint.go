package redis

import (
	"context"
	"encoding/json"
	"sync"
	"time"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
	"signet/store/seal"
)

// message is what replicas send each other: a hint for subscribers, or a revocation for the revocation log.
type message struct {
	Hint  *store.ChangeEvent `json:"hint,omitempty"`
	Ended *ended             `json:"ended,omitempty"`
}

// ended is a revocation: of one session, of all sessions of a user that began before a time or in an
// epoch before one, or of one access token until it has run out.
type ended struct {
	User      store.UserID    `json:"sub,omitzero"`
	Session   store.SessionID `json:"sid,omitzero"`
	NotBefore time.Time       `json:"time,omitzero"`
	Epoch     uint32          `json:"epoch,omitempty"`
	JTI       string          `json:"jti,omitempty"`
}

func ofClient(id string) message {
	return message{Hint: &store.ChangeEvent{Kind: store.ClientChanged, ID: id}}
}

func ofKeyring() message { return message{Hint: &store.ChangeEvent{Kind: store.KeyringChanged}} }

// endedBy is what the record of a user ends.
func endedBy(u store.User) ended {
	return ended{User: u.ID, NotBefore: store.Millis(u.NotBefore), Epoch: u.Epoch}
}

func (e ended) message() message { return message{Ended: &e} }

// publish sends a message by way of the server that has the key.
func (s *common) publish(key string, m message) *conn.Call {
	raw, _ := json.Marshal(m) // nothing in it can fail
	return conn.Command(key, "publish", s.key.Of(layout.Hints), s.records.Seal(seal.Hint, nil, raw))
}

// doAndNotify is conn.DoDurably and then a message to the other replicas. The message goes in a round trip of its own:
// in one pipeline they could receive what has not happened yet, because a script that the server does
// not have, or whose slot has moved, is sent again. The message may be lost: the polls and this
// replica's revocation log are there for that.
func (s *common) doAndNotify(ctx context.Context, doing string, m message, calls ...*conn.Call) error {
	err := s.conn.DoDurably(ctx, doing, calls...)
	if calls[0].Done() {
		s.notify(ctx, calls[0], m)
	}
	return err
}

// notify sends the other replicas what was done.
func (s *common) notify(ctx context.Context, done *conn.Call, m message) {
	_ = s.conn.Do(context.WithoutCancel(ctx), "telling the other replicas", s.publish(done.Slot(), m))
}

// listen receives what other replicas publish, until ctx ends. go-redis subscribes again after a failure;
// what was told meanwhile is lost, and the polls find it.
func (s *Store) listen(ctx context.Context) {
	sub := s.conn.Subscribe(ctx, s.key.Of(layout.Hints))
	defer sub.Close()
	heard := sub.Channel()
	for {
		select {
		case <-ctx.Done():
			return
		case m, open := <-heard:
			if !open {
				return
			}
			s.hear(m.Payload)
		}
	}
}

func (s *Store) hear(payload string) {
	var m message
	raw, err := s.records.Open(seal.Hint, nil, payload)
	if err != nil {
		return // forged: it ends nothing
	}
	if json.Unmarshal(raw, &m) != nil {
		return // of a later version, or nobody's
	}
	switch e := m.Ended; {
	case m.Hint != nil && s.pings.take(*m.Hint):
	case m.Hint != nil:
		s.hints.pass(*m.Hint)
	case e == nil:
	case e.JTI != "":
		s.revocations.tokenRevoked(e.JTI, e.NotBefore)
	case !e.Session.IsZero():
		s.revocations.sessionEnded(e.User, e.Session)
	default:
		s.revocations.sessionsEnded(*e)
	}
}

// listeners are those who watch for hints.
type listeners struct {
	mu   sync.Mutex
	next int
	on   map[int]chan store.ChangeEvent
}

const hintsHeld = 64 // of one listener; beyond that hints are lost

// Subscribe implements store.ChangeEvents.
func (s *Store) Subscribe(ctx context.Context, on func(store.ChangeEvent)) {
	hints, leave := s.hints.join()
	defer leave()
	for {
		select {
		case <-ctx.Done():
			return
		case h := <-hints:
			on(h)
		}
	}
}

func (l *listeners) join() (hints <-chan store.ChangeEvent, leave func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.on == nil {
		l.on = map[int]chan store.ChangeEvent{}
	}
	l.next++
	id, c := l.next, make(chan store.ChangeEvent, hintsHeld)
	l.on[id] = c
	return c, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.on, id)
	}
}

func (l *listeners) pass(h store.ChangeEvent) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, c := range l.on {
		select {
		case c <- h:
		default:
		}
	}
}
