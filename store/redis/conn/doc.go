// Package conn is the transport of package redis: it sends commands and scripts to one server, a server behind
// Sentinel or a cluster, and does not depend on what they are about.
//
//   - Nothing waits longer than Config.Timeout, and nothing is sent again that a server may have carried out. What a
//     server refuses to carry out (MOVED, ASK, TRYAGAIN, NOSCRIPT, and what came after its deadline) is sent where it
//     belongs, on the same call of Do.
//   - Every script that changes something carries a deadline in the server's own time (deadline.go).
//   - DoDurably returns when enough replicas have confirmed a change (durable.go).
//   - A breaker for each server fails calls at once while a server does not work (errors.go).
//   - A reply that is not of its command's kind is an error (reply.go).
//
// Calls go to a node's own client and not to go-redis' cluster client: WAIT needs the connection that wrote, and the cluster
// client would repeat calls that may have been carried out.
package conn
