package backchannel

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signet/server/audit"
	"signet/server/token"
	"signet/store"
)

// Settings are what an operator may choose.
type Settings struct {
	HTTP        *http.Client  // does not follow redirects; nil: logouts stay in the queue
	Timeout     time.Duration // of one delivery; 0: 5 seconds
	Concurrency int           // deliveries at once; 0: 8
	GiveUp      time.Duration // how old a logout may be; 0: 24 hours
	Poll        time.Duration // how often the queue is asked for what is due; 0: 1 second
}

// Config configures a Sender. All fields but those of Settings are required.
type Config struct {
	Settings
	Store interface {
		store.Logouts
		Client(ctx context.Context, id string) (store.Client, error)
	}
	Tokens   *token.Issuer
	Clock    func() error // returns an error while nothing can be signed, because the clock is wrong
	Audit    *audit.Recorder
	Log      *slog.Logger
	Now      func() time.Time
	Registry prometheus.Registerer
}

// Sender delivers what is in the queue. Run does the work; nothing runs without it.
type Sender struct {
	cfg     Config
	metrics *metrics

	mu      sync.Mutex
	clients map[string]*pace     // of clients that have failed last
	dropped uint64               // by the queue, as it was seen last
	looked  time.Time            // when the queue was looked at last
	logged  map[string]time.Time // when complain last wrote a line
}

const (
	lookEvery     = 10 * time.Second // how often its state is asked for
	spare         = 10 * time.Second // of a lease, above the timeout: to find the client, sign and finish
	unsigned      = 5 * time.Second  // until the next try when the store or the keys have failed
	complainEvery = time.Minute
	farewell      = 2 * time.Second // for what is under way when the server stops, to go back into the queue
)

// New returns a Sender.
func New(cfg Config) *Sender {
	setDefault(&cfg.Timeout, 5*time.Second)
	setDefault(&cfg.Concurrency, 8)
	setDefault(&cfg.GiveUp, 24*time.Hour)
	setDefault(&cfg.Poll, time.Second)
	return &Sender{cfg: cfg, metrics: newMetrics(cfg.Registry), clients: map[string]*pace{}, logged: map[string]time.Time{}}
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// Run delivers until ctx ends. A delivery that is under way then is broken off, and due again at once.
func (s *Sender) Run(ctx context.Context) {
	if s.cfg.HTTP == nil {
		return
	}
	var running sync.WaitGroup
	defer s.cfg.HTTP.CloseIdleConnections()
	defer running.Wait()
	slots := make(chan struct{}, s.cfg.Concurrency) // has one for each delivery under way
	tick := time.NewTicker(s.cfg.Poll)
	defer tick.Stop()
	for ctx.Err() == nil {
		free := cap(slots) - len(slots)
		var due []store.Logout
		if free > 0 && s.cfg.Clock() == nil {
			due = s.claim(ctx, free)
		}
		for _, l := range due {
			slots <- struct{}{}
			running.Go(func() {
				defer func() { <-slots }()
				s.handle(ctx, l)
			})
		}
		s.look(ctx)
		if free > 0 && len(due) == free { // there may be more; the next slot is free when this one can be taken
			select {
			case <-ctx.Done():
			case slots <- struct{}{}:
				<-slots
			}
			continue
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// claim returns what is due, at most so many.
func (s *Sender) claim(ctx context.Context, limit int) []store.Logout {
	due, err := s.cfg.Store.ClaimLogouts(ctx, s.cfg.Now(), s.cfg.Timeout+spare, limit)
	if err != nil && ctx.Err() == nil {
		s.complain("asking for logouts of which apps are to be informed", err)
	}
	return due
}

// handle does with a logout what is to be done now.
func (s *Sender) handle(ctx context.Context, l store.Logout) {
	if s.cfg.Now().Sub(l.EndedAt) > s.cfg.GiveUp {
		s.giveUp(ctx, l, "expired", "the app could not be informed in time")
		return
	}
	if wait := s.begin(l.ClientID); wait > 0 {
		s.postpone(ctx, l, wait)
		return
	}
	client, err := s.cfg.Store.Client(ctx, l.ClientID)
	switch {
	case errors.Is(err, store.ErrNotFound), err == nil && client.BackchannelLogoutURI == "":
		s.end(l.ClientID, true)
		s.metrics.count("unneeded")
		s.finish(ctx, l)
		return
	case err != nil:
		s.end(l.ClientID, false)
		s.postpone(ctx, l, unsigned)
		return
	}
	signed, err := s.cfg.Tokens.LogoutToken(ctx, &client, l.UserID, l.SessionID)
	if err != nil {
		s.end(l.ClientID, false)
		if ctx.Err() == nil {
			s.complain("signing a logout token", err)
		}
		s.postpone(ctx, l, unsigned)
		return
	}
	s.settle(ctx, l, s.deliver(ctx, client.BackchannelLogoutURI, signed.Token))
}

// complain writes a line about what fails again and again, at most every so often.
func (s *Sender) complain(doing string, err error) {
	now := s.cfg.Now()
	s.mu.Lock()
	last, before := s.logged[doing]
	due := !before || now.Sub(last) >= complainEvery
	if due {
		s.logged[doing] = now
	}
	s.mu.Unlock()
	if due {
		s.cfg.Log.Warn(doing, slog.Any("error", err))
	}
}

// settle does what the answer of the app asks for.
func (s *Sender) settle(ctx context.Context, l store.Logout, err error) {
	refusal, refused := errors.AsType[*refusalError](err)
	switch {
	case err == nil:
		recovered := s.end(l.ClientID, true)
		s.metrics.count("sent")
		s.finish(ctx, l)
		s.cfg.Log.Info("an app was informed of a logout", s.about(l)...)
		if recovered > 0 {
			s.cfg.Log.Info("an app can be informed of logouts again", slog.String("client_id", l.ClientID), slog.Int("failures", recovered))
		}
	case refused:
		s.end(l.ClientID, true)
		s.giveUp(ctx, l, "refused", refusal.Error())
	case ctx.Err() != nil: // the server stops
		s.end(l.ClientID, false)
		s.postpone(ctx, l, 0)
	default:
		s.metrics.count("failed")
		wait, first := s.failed(l.ClientID)
		if first {
			s.cfg.Log.Warn("an app cannot be informed of logouts; they are kept and tried again",
				append(s.about(l), slog.Any("error", err), slog.String("give_up_after", s.cfg.GiveUp.String()))...)
		}
		s.postpone(ctx, l, wait)
	}
}

// giveUp takes a logout out of the queue of which the app was not informed, and records why.
func (s *Sender) giveUp(ctx context.Context, l store.Logout, outcome, why string) {
	s.metrics.count(outcome)
	s.cfg.Log.Warn("an app was not informed of a logout", append(s.about(l), slog.String("outcome", outcome), slog.String("reason", why))...)
	s.cfg.Audit.Record(store.Event{At: s.cfg.Now(), Type: store.EventLogout, Outcome: outcome, ClientID: l.ClientID, Subject: l.UserID.String(),
		SessionID: l.SessionID.String(), Detail: map[string]string{store.DetailReason: why}})
	s.finish(ctx, l)
}

func (s *Sender) about(l store.Logout) []any {
	return []any{slog.String("client_id", l.ClientID), slog.String("sub", l.UserID.String()), slog.String("sid", l.SessionID.String()),
		slog.Int("attempt", l.Attempts), slog.String("age", s.cfg.Now().Sub(l.EndedAt).Round(time.Millisecond).String())}
}

// finish takes a logout out of the queue. Where that fails it is sent again when its lease is over.
func (s *Sender) finish(ctx context.Context, l store.Logout) {
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if err := s.cfg.Store.FinishLogout(last, l); err != nil {
		s.cfg.Log.Warn("a logout stays in the queue; its app is informed once more", slog.String("client_id", l.ClientID), slog.Any("error", err))
	}
}

// postpone puts a logout back. Where that fails it is due again when its lease is over.
func (s *Sender) postpone(ctx context.Context, l store.Logout, wait time.Duration) {
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	if err := s.cfg.Store.PostponeLogout(last, l, s.cfg.Now(), wait); err != nil {
		s.cfg.Log.Debug("postponing a logout", slog.String("client_id", l.ClientID), slog.Any("error", err))
	}
}

// look brings the state of the queue into the metrics, and into the log what it has dropped.
func (s *Sender) look(ctx context.Context) {
	now := s.cfg.Now()
	s.mu.Lock()
	due := s.looked.IsZero() || now.Sub(s.looked) >= lookEvery
	s.mu.Unlock()
	if !due {
		return
	}
	q, err := s.cfg.Store.LogoutQueue(ctx)
	if err != nil {
		return // claim logs why
	}
	s.mu.Lock()
	before, first := s.dropped, s.looked.IsZero()
	s.dropped, s.looked = q.Dropped, now
	s.mu.Unlock()
	s.metrics.show(q, now)
	if !first && q.Dropped > before {
		s.cfg.Log.Warn("the queue of logouts is full: the oldest were dropped, and their apps are not informed",
			slog.Uint64("dropped", q.Dropped-before), slog.Int("length", q.Length))
	}
}
