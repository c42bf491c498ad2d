package password

import (
	"cmp"
	"math/bits"
	"slices"

	"signet/server/password/hash"
)

// A login for a name that no user has must cost what one for a user costs. Where the store has hashes of several
// formats, such as those of an import, no single dummy does that. So the dummy of a name is drawn from the
// formats that the store has, as often as the store has each; a name always draws the same one.

// maxKinds bounds how many formats are kept apart. The rarest beyond it count as the one before them.
const maxKinds = 16

// kinds are the formats of a sample, each with the share of users who have it or one before it.
type kinds []kind

type kind struct {
	name  string // the format and its costs
	dummy hash.Hash
	upTo  uint64 // of 2^64
}

// Sample replaces the formats that dummies are drawn from by those of these hashes. Hashes that cannot be
// read are left out.
func (p *Pool) Sample(encoded []string) {
	count := map[string]int{}
	dummies := map[string]hash.Hash{}
	total := 0
	for _, e := range encoded {
		h, err := p.stored(e)
		if h == nil || err != nil {
			continue
		}
		name := h.Kind()
		if dummies[name] == nil {
			dummies[name] = h.Dummy()
		}
		count[name]++
		total++
	}
	if total == 0 {
		p.kinds.Store(nil)
		return
	}
	var list kinds
	for name, h := range dummies {
		list = append(list, kind{name: name, dummy: h})
	}
	slices.SortFunc(list, func(a, b kind) int { return cmp.Or(count[b.name]-count[a.name], cmp.Compare(a.name, b.name)) })
	list = list[:min(len(list), maxKinds)]
	before := 0
	for i := range list {
		before += count[list[i].name]
		list[i].upTo, _ = bits.Div64(uint64(min(before, total-1)), 0, uint64(total))
	}
	list[len(list)-1].upTo = ^uint64(0)
	p.kinds.Store(&list)
}

// Sampled reports whether the format of the hash is among those that dummies are drawn from. It is true for
// what cannot be read.
func (p *Pool) Sampled(encoded string) bool {
	h, err := p.stored(encoded)
	if h == nil || err != nil {
		return true
	}
	list := p.kinds.Load()
	return list != nil && slices.ContainsFunc(*list, func(k kind) bool { return k.name == h.Kind() })
}

// drawn is the dummy for a name.
func (p *Pool) drawn(draw uint64) hash.Hash {
	list := p.kinds.Load()
	if list == nil {
		return p.dummy
	}
	for _, k := range *list {
		if draw <= k.upTo {
			return k.dummy
		}
	}
	return p.dummy
}
