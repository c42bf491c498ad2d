// Package storetest is the contract that every backend of package store must pass:
//
//	func TestContract(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) storetest.Backend { … })
//	}
//
// Each case gets a Backend of its own and says in its name what it holds the backend to. Cases work
// with made-up times, never with the clock, and leave it to the backend to clean up.
package storetest
