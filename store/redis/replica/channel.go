// Package replica has what replicas of Signet send each other through Redis: notifications of changes, revocations and
// heartbeats. Notifications can be lost, so replicas also poll.
package replica

import (
	"context"
	"encoding/json"
	"log/slog"
	"sync"

	"signet/store"
	"signet/store/redis/conn"
	"signet/store/redis/layout"
	"signet/store/redis/revocation"
	"signet/store/seal"
)

// Message is what is published: a notification for subscribers, or a revocation for the logs of the replicas.
type Message struct {
	Hint  *store.ChangeEvent `json:"hint,omitempty"`
	Ended *revocation.Ended  `json:"ended,omitempty"`
}

// ClientChanged is the message after a change of a client.
func ClientChanged(id string) Message {
	return Message{Hint: &store.ChangeEvent{Kind: store.ClientChanged, ID: id}}
}

// KeyringChanged is the message after a change of the keyring or the install.
func KeyringChanged() Message {
	return Message{Hint: &store.ChangeEvent{Kind: store.KeyringChanged}}
}

// Ended is the message after a revocation.
func Ended(e revocation.Ended) Message { return Message{Ended: &e} }

// Channel sends and receives messages. All methods may be called concurrently.
type Channel struct {
	conn        *conn.Conn
	key         layout.Keyspace
	records     *layout.Codec
	log         *slog.Logger
	revocations *revocation.Log
	pings       pings

	mu          sync.Mutex
	subscribers map[chan store.ChangeEvent]struct{}
}

// NewChannel returns a channel that puts the revocations of other replicas into the log.
func NewChannel(cn *conn.Conn, key layout.Keyspace, records *layout.Codec, revocations *revocation.Log, log *slog.Logger) *Channel {
	return &Channel{conn: cn, key: key, records: records, log: log, revocations: revocations, pings: newPings(),
		subscribers: map[chan store.ChangeEvent]struct{}{}}
}

// DoAndNotify is conn.DoDurably and then a message to the other replicas. The message goes in a round trip of its own:
// in one pipeline they could receive what has not happened yet, because a script that the server does
// not have, or whose slot has moved, is sent again. The message may be lost: the polls and this
// replica's revocation log are there for that.
func (c *Channel) DoAndNotify(ctx context.Context, doing string, m Message, calls ...*conn.Call) error {
	err := c.conn.DoDurably(ctx, doing, calls...)
	if calls[0].Done() {
		c.Notify(ctx, calls[0], m)
	}
	return err
}

// Notify sends the other replicas what was done.
func (c *Channel) Notify(ctx context.Context, done *conn.Call, m Message) {
	_ = c.conn.Do(context.WithoutCancel(ctx), "telling the other replicas", c.publish(done.Slot(), m))
}

// publish sends a message by way of the server that has the key.
func (c *Channel) publish(key string, m Message) *conn.Call {
	raw, _ := json.Marshal(m) // nothing in it can fail
	return conn.Command(key, "publish", c.key.Of(layout.Hints), c.records.Seal(seal.Hint, nil, raw))
}

// Listen receives what other replicas publish, until ctx ends. go-redis subscribes again after a failure;
// what was published meanwhile is lost, and the polls find it.
func (c *Channel) Listen(ctx context.Context) {
	sub := c.conn.Subscribe(ctx, c.key.Of(layout.Hints))
	defer sub.Close()
	received := sub.Channel()
	for {
		select {
		case <-ctx.Done():
			return
		case m, open := <-received:
			if !open {
				return
			}
			c.receive(m.Payload)
		}
	}
}

func (c *Channel) receive(payload string) {
	var m Message
	raw, err := c.records.Open(seal.Hint, nil, payload)
	if err != nil {
		return // forged: it ends nothing
	}
	if json.Unmarshal(raw, &m) != nil {
		return // of a later version, or not of Signet
	}
	switch {
	case m.Hint != nil && c.pings.take(*m.Hint):
	case m.Hint != nil:
		c.pass(*m.Hint)
	case m.Ended != nil:
		c.revocations.Announced(*m.Ended)
	}
}

const eventsHeld = 64 // for one subscriber; beyond that events are lost

// Subscribe calls on for each change event, until ctx ends.
func (c *Channel) Subscribe(ctx context.Context, on func(store.ChangeEvent)) {
	events := make(chan store.ChangeEvent, eventsHeld)
	c.mu.Lock()
	c.subscribers[events] = struct{}{}
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		defer c.mu.Unlock()
		delete(c.subscribers, events)
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case e := <-events:
			on(e)
		}
	}
}

func (c *Channel) pass(e store.ChangeEvent) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for events := range c.subscribers {
		select {
		case events <- e:
		default:
		}
	}
}
