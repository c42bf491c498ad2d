// Package e2e tests the program as its users meet it: it starts signet as a process of its own, with real browsers, HTTP
// clients, proxies, Redis servers and HSMs around it.
//
// TestMain builds the program once. With -short no test of this package runs. A test that lacks a program skips itself and
// names what installs it; with CI=true that is a failure.
package e2e
