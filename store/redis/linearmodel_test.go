package redis

import (
	"math"

	"github.com/anishathalye/porcupine"

	"signet/store"
)

// The sequential meaning of sessions, written from the documentation of store.Sessions and without a
// look at store.Decide or the scripts. Porcupine asks whether some order of what happened at the
// same time explains all answers.

type verb int

const (
	start     verb = iota
	rotate         // present a generation
	revoke         // one session
	revokeAll      // sessions of the user begun up to a time
	list           // all sessions of the user
	look           // at one session, as introspection does
	dead           // what an answer "revoked" means besides: at some moment meanwhile the session was not there
)

// question is what a client asks about one user. Sessions have numbers here.
type question struct {
	verb       verb
	user       int
	session    int
	generation uint32
	time       int64 // of revokeAll, in milliseconds
}

// reply is the answer to it. Whether something asked with an unknown reply has happened is open.
type reply struct {
	unknown    bool
	outcome    store.Outcome // of rotate
	generation uint32        // after rotate; of look
	n          int           // sessions ended by revoke or revokeAll
	live       bool          // of look
	sessions   [mostSessions]kept
}

const mostSessions = 24 // of one user in one history

// kept is a session; the zero kept is none.
type kept struct {
	started    int64 // milliseconds; never 0
	generation uint32
	replays    uint16
}

// userState is compared with ==.
type userState struct {
	sessions [mostSessions]kept
}

const modelReplays = 3 // the bound that all rotations of the histories name

func sessionModel() porcupine.Model {
	return porcupine.Model{
		Partition: partitionByUser,
		Init:      func() any { return userState{} },
		Step: func(state, asked, heard any) (bool, any) {
			return state.(userState).step(asked.(question), heard.(reply))
		},
	}
}

func partitionByUser(history []porcupine.Operation) [][]porcupine.Operation {
	byUser := map[int][]porcupine.Operation{}
	for _, o := range history {
		user := o.Input.(question).user
		byUser[user] = append(byUser[user], o)
	}
	var parts [][]porcupine.Operation
	for _, part := range byUser {
		parts = append(parts, part)
	}
	return parts
}

// step does what is asked, and reports whether the reply is the one that follows.
func (u userState) step(q question, r reply) (bool, userState) {
	was := u
	var want reply
	switch q.verb {
	case start:
		u.sessions[q.session] = kept{started: begun.UnixMilli()}
	case rotate:
		want.outcome = u.rotate(q.session, q.generation)
		if goesOn(want.outcome) {
			want.generation = u.sessions[q.session].generation
		}
	case revoke:
		if u.sessions[q.session] != (kept{}) {
			want.n = 1
		}
		u.sessions[q.session] = kept{}
	case revokeAll:
		for i, s := range u.sessions {
			if s != (kept{}) {
				u.sessions[i] = kept{}
				want.n++
			}
		}
	case list:
		want.sessions = u.sessions
	case look:
		want.live = u.sessions[q.session] != (kept{})
		want.generation = u.sessions[q.session].generation
	case dead:
		return u.sessions[q.session] == (kept{}), was
	}
	return r.unknown || r == want, u
}

// rotate: time does not pass, so that only the generation and the bound on replays decide.
func (u *userState) rotate(n int, generation uint32) store.Outcome {
	s := &u.sessions[n]
	switch {
	case *s == kept{}:
		return store.Gone
	case generation == s.generation:
		s.generation, s.replays = generation+1, 0
		return store.Rotated
	case generation > s.generation:
		s.generation, s.replays = generation+1, 0
		return store.Healed
	case generation+1 == s.generation && s.replays < modelReplays:
		s.replays++
		return store.Replayed
	default:
		*s = kept{}
		return store.Reused
	}
}

// never is when something returns whose answer was lost: it may have taken effect at any time since
// it was asked, or, what is the same to all others, after everything else.
const never = math.MaxInt64
