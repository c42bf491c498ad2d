// Package network is what is between a client and a Redis server in a test: a Proxy that breaks connections, and a Stub that sends
// replies which a real server sends too rarely to wait for. A fault can be proved: both count what they did.
package network
