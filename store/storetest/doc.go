// Package storetest is the contract that every backend of package store must pass:
//
//	func TestContract(t *testing.T) {
//		storetest.Run(t, func(t *testing.T) storetest.Backend { … })
//	}
//
// Each case gets a Backend of its own. Cases are grouped by what they are about: -run TestContract/sessions/rotate. The times
// of cases are made up, but for the throttle, whose records a backend may delete by its own clock.
package storetest
