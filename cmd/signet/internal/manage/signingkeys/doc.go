// Package signingkeys has the commands of `signet keys`: list, plan, rotate, revoke, rewrap and clock-reset.
//
// A change is made by one server and read by the others, so each command that changes the keyring reports which
// replicas have the new version, and waits for all of them with --wait. What a key does and when is in package
// keys/rotation; how the plan is drawn is in package keychart.
package signingkeys
