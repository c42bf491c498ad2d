package keys

import (
	"context"
	"fmt"
	"maps"
)

// Records is what the keyring keeps about the records beside it in the store. It is in the sealed
// document because nobody who can only write to the store can change it or put an older one back.
type Records struct {
	// Sealed: every record has a seal, and one without is forged.
	Sealed bool `json:"sealed,omitempty"`
	// Floors are the least revisions that count of records which must not be put back: those of clients
	// that have, or had, rights over Signet itself, by client id.
	Floors map[string]uint32 `json:"floors,omitempty"`
}

func (r Records) clone() Records {
	r.Floors = maps.Clone(r.Floors)
	return r
}

// Records returns what the keyring held says. The caller must not change the map.
func (m *Manager) Records() Records { return m.state.Load().ring.Records }

// SealRecords notes for all replicas and for good that every record has a seal.
func (m *Manager) SealRecords(ctx context.Context) error {
	err := m.settle(ctx, func(p *planner) error {
		p.noted = p.noted || !p.ring.Records.Sealed
		p.ring.Records.Sealed = true
		return nil
	})
	if err != nil {
		return fmt.Errorf("noting that the records are sealed: %w", err)
	}
	return nil
}

// RaiseFloors raises the floors to those given, where they are lower. It writes only where that changes one.
func (m *Manager) RaiseFloors(ctx context.Context, floors map[string]uint32) error {
	return m.changeFloors(ctx, func(now map[string]uint32) map[string]uint32 {
		for id, floor := range floors {
			if have, known := now[id]; !known || have < floor {
				now[id] = floor
			}
		}
		return now
	})
}

// ReplaceFloors puts those given in the place of all floors: for a store whose records were put back on
// purpose.
func (m *Manager) ReplaceFloors(ctx context.Context, floors map[string]uint32) error {
	return m.changeFloors(ctx, func(map[string]uint32) map[string]uint32 { return maps.Clone(floors) })
}

func (m *Manager) changeFloors(ctx context.Context, change func(now map[string]uint32) map[string]uint32) error {
	was := m.Records().Floors
	if maps.Equal(change(cloneFloors(was)), was) {
		return nil
	}
	err := m.settle(ctx, func(p *planner) error {
		next := change(cloneFloors(p.ring.Records.Floors))
		p.noted = p.noted || !maps.Equal(next, p.ring.Records.Floors)
		p.ring.Records.Floors = next
		return nil
	})
	if err != nil {
		return fmt.Errorf("raising the floors of clients: %w", err)
	}
	return nil
}

func cloneFloors(floors map[string]uint32) map[string]uint32 {
	if floors == nil {
		return map[string]uint32{}
	}
	return maps.Clone(floors)
}
