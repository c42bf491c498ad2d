package keys

import (
	"maps"
	"testing"
)

// The Records of the keyring come to every replica, survive rotations, and never go back.
func TestRecords(t *testing.T) {
	r := startRollout(t)
	a, b := r.replicas[0], r.replicas[1]
	if err := a.Edit().RaiseFloors(t.Context(), map[string]uint32{"ops": 4, "deploy": 1}); err != nil {
		t.Fatal(err)
	}
	before := a.Version()
	if err := a.Edit().RaiseFloors(t.Context(), map[string]uint32{"ops": 3, "deploy": 1}); err != nil || a.Version() != before {
		t.Errorf("lower floors: got %v and version %d, want no new version after %d", err, a.Version(), before)
	}
	if err := b.Edit().RaiseFloors(t.Context(), map[string]uint32{"ops": 7}); err != nil {
		t.Fatal(err)
	}
	if err := b.Edit().SealRecords(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.live()
	want := map[string]uint32{"ops": 7, "deploy": 1}
	for i, m := range r.replicas {
		if got := m.Records(); !got.Sealed || !maps.Equal(got.Floors, want) {
			t.Errorf("replica %d: got %+v, want sealed and %v", i, got, want)
		}
	}
	if err := a.Edit().ReplaceFloors(t.Context(), map[string]uint32{"ops": 2}); err != nil || a.Records().Floors["ops"] != 2 || len(a.Records().Floors) != 1 {
		t.Errorf("ReplaceFloors: got %+v, %v", a.Records(), err)
	}
}
