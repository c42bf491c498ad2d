// Package worker hashes passwords in a child process of the idle scheduling class, so that no other request of the
// server waits for a core or for the memory of a hash.
//
// The kernel takes a core away from such a process as soon as anything else can use it (SCHED_IDLE in sched(7)), and
// needs no privilege for it. The child is this same program, started with an argument that makes it call Serve.
//
// What it promises:
//
//   - Nothing secret is in the arguments or the environment of the child: it has one argument and no environment.
//     Passwords and hashes cross a pipe, are wiped in the buffers of both sides after use, and the child writes nothing
//     but results.
//   - A message has at most maxMessage bytes, and at most as many hashes as Process.Limit allows are under way. Whoever breaks the protocol,
//     or has another version of it, is ended.
//   - A job gets exactly one Result. A child that ended with jobs under way answers them with ErrGone: nothing is known
//     of their passwords then.
//   - The child ends with the server, however that ends: its input ends, and on Linux the kernel kills it.
//   - A child that ends is started again, after a pause that grows from a second to a minute. It starts with the first
//     job that asks for it, so a server that hashes nothing has none.
package worker
