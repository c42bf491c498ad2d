package admin_test

import (
	"testing"

	"signet/server/servertest"
)

// TestThrottleEmptyFilter: a filter without a value is not the wish for all users.
func TestThrottleEmptyFilter(t *testing.T) {
	_, admin := servertest.NewAdmin(t, nil)
	for _, query := range []string{"user=", "address=", "user=&address=192.0.2.1", "user=alice&address="} {
		admin.CallJSON(t, "DELETE", "/v1/throttle?"+query, "").Wants(400, "invalid").WantsMessage(t, "is empty")
		admin.CallJSON(t, "GET", "/v1/throttle?"+query, "").Wants(400, "invalid").WantsMessage(t, "is empty")
	}
}
