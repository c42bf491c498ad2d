// Package redistest starts real Redis servers for tests, and breaks them.
//
// What a token server must get right about Redis shows only when Redis fails: a process is killed,
// a replica that lags is elected, a slot moves while it is in use, a reply is lost after the write
// has happened. None of that can be learnt from a fake, so everything here that can be real is:
// single servers (Start), a master with replicas (StartReplicated), the same watched by sentinels
// (StartSentinel), and a cluster (StartCluster). Package network has what is not: a
// Proxy between a client and a server, and a Stub in the place of one.
//
// Promises:
//
//   - Only loopback is used, on ports that were free, and only temporary directories are written.
//   - Whatever is started has ended when the test has, even if the test binary dies (on Linux).
//   - A server's output is in the test's log when the test fails.
//   - Nothing sleeps and hopes: every wait has a condition, returns as soon as it holds, and fails
//     the test at its deadline with the last reason why it did not.
//
// Like t.Fatal itself, whatever here takes a testing.TB, or belongs to something that did, may end
// the test; call it from the test's own goroutine unless its comment allows another.
package redistest
