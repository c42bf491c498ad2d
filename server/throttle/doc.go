// Package throttle decides what failed attempts are counted against: logins, authentications of clients,
// and authentications at the admin listener. The counting itself is the store's (store.Throttle and
// store.Tally), so that all replicas share it.
//
// # A login
//
// An attempt reserves a place in each of its limits before its password is hashed. A wrong password turns
// the places into failures, a right one gives them back, and so does an attempt that was not decided: the
// hash pool was busy, the store could not answer, the client hung up in the queue. A place has the random
// id of its attempt. So nothing gives back the place of another attempt, or the same one twice, and an
// attempt that took none has none to give back. An attempt that is never decided, because its replica died,
// counts as failed after store.ReservedFor. A store of one process drops such places when it is opened: none of
// them was answered, so no guess was made.
//
// The limits, with the defaults of the configuration:
//
//   - of the account from the network: 10 failures, then waits of 1, 2, 4 … 60 seconds, until it has been
//     quiet for 15 minutes. A success from the network forgets them.
//   - of the network, whatever the accounts: 100 failures a minute.
//   - of the account from anywhere: 30 failures, then waits of 1, 2, 4 … 60 seconds that all callers share,
//     until it has been quiet for an hour. It does not hold for networks from which the account has logged in
//     before: the last 8 within 180 days are kept.
//
// A network is an IPv4 /24. IPv6 is counted at the /64, the /56 and the /48, the account with 1, 2 and 4 times
// the limit and the network with 1, 4 and 16 times, because a customer may have any of the three. The
// networks that an account has logged in from are a /24 or a /48.
//
// # What holds
//
//   - A success delays no login: it counts nowhere. Where attempts under way fill a limit, the
//     answer is 503 with a Retry-After of a second or two, because some of these may turn out to be right.
//     Only failures lead to 429.
//   - Hanging up gains nothing. Attempts are counted without regard to whether their caller still waits.
//   - From networks that an account has not logged in from, however many, a guesser gets at most
//     MaxGuessesPerHour passwords of it hashed in any hour (NIST SP 800-63B-4 §3.2.2): 30, six during the waits
//     of 1 to 32 seconds, and one a minute. A guesser in one of the account's own networks has the rate of the
//     account from the network beside it.
//   - The owner is not locked out by others. From a network where they have logged in before they go at the
//     normal rate. From another one they share one turn a minute with all who try, and wait a minute at
//     most; a guesser who takes every turn can keep them waiting while the attack lasts and, at most,
//     for an hour after it. `signet throttle clear` lifts that.
//   - An unknown name is counted like a known one, with the same work and the same response.
//   - The same wrong password again within ten seconds is the same mistake: of the account from the network it
//     counts once. Some client libraries send every refused request twice.
//
// # Clients
//
// Failed authentications of a client are counted for the client from the network, and those in the name of
// no client for the network, however many names are made up. What has failed too often is counted no
// more, and answered 429. The right secret is never turned away: there is nothing to guess in 256 bits.
//
// # What is stored
//
// Keys are MACs under a key that derives from the master key in use, so the store holds no username and no
// address, and all replicas count the same while a master key is changed. Two bytes of a MAC
// distinguish a repeat: too few to test a guess at a mistyped password against a backup. After `signet
// keys rewrap` counting starts anew, and so do the networks of accounts.
//
// Only attempts that went ahead leave something behind, and all of it runs out. The embedded store keeps
// 65,536 counts at most.
package throttle
