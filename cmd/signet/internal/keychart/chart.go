package keychart

import (
	"cmp"
	"slices"
	"time"

	"signet/server/admin/api"
)

// chart is a plan with a row for each key on a time scale.
type chart struct {
	plan        api.KeyPlan
	from, until time.Time
	groups      []chartGroup
}

// chartGroup has the keys of one algorithm.
type chartGroup struct {
	alg  string
	keys []api.PlannedKey
}

// span is a part of a key's life.
type span struct {
	state    string // pending, active, retired
	from, to time.Time
}

// newChart returns the chart of a plan. It begins a little before now, to show the current state.
func newChart(p api.KeyPlan) chart {
	c := chart{plan: p, from: p.From.Add(-p.Until.Sub(p.From) / 12), until: p.Until}
	first := p.From
	for _, k := range p.Keys {
		if k.PublishedAt.Before(first) {
			first = k.PublishedAt
		}
	}
	if c.from.Before(first) {
		c.from = first
	}
	for _, k := range p.Keys {
		if end := end(k); !end.IsZero() && !end.After(c.from) {
			continue // it has left the key set
		}
		i := slices.IndexFunc(c.groups, func(g chartGroup) bool { return g.alg == k.Alg })
		if i < 0 {
			i = len(c.groups)
			c.groups = append(c.groups, chartGroup{alg: k.Alg})
		}
		c.groups[i].keys = append(c.groups[i].keys, k)
	}
	return c
}

// end returns when the key leaves the key set; zero: not planned.
func end(k api.PlannedKey) time.Time {
	if !k.RevokedAt.IsZero() {
		return k.RevokedAt
	}
	return k.RemovedAt
}

// spans returns the parts of the key's life within the chart.
func (c chart) spans(k api.PlannedKey) (list []span) {
	if k.ActivatesAt.IsZero() {
		return nil // no key, only its row
	}
	end := orTime(end(k), c.until)
	for _, s := range []span{
		{"pending", k.PublishedAt, k.ActivatesAt},
		{"active", k.ActivatesAt, orTime(k.RetiresAt, end)},
		{"retired", orTime(k.RetiresAt, end), end},
	} {
		s.from, s.to = latest(s.from, c.from), earliest(s.to, earliest(end, c.until))
		if s.from.Before(s.to) {
			list = append(list, s)
		}
	}
	return list
}

// at returns the position of a time on the scale, from 0 to 1.
func (c chart) at(t time.Time) float64 {
	return float64(t.Sub(c.from)) / float64(max(c.until.Sub(c.from), 1))
}

func orTime(t, other time.Time) time.Time {
	if t.IsZero() {
		return other
	}
	return t
}

func earliest(a, b time.Time) time.Time { return slices.MinFunc([]time.Time{a, b}, time.Time.Compare) }
func latest(a, b time.Time) time.Time   { return slices.MaxFunc([]time.Time{a, b}, time.Time.Compare) }

// layout returns the format of times for a scale of this length.
func (c chart) layout() string {
	const day = 24 * time.Hour
	switch long := c.until.Sub(c.from); {
	case long >= 21*day:
		return time.DateOnly
	case long >= 12*time.Hour:
		return "01-02 15:04"
	default:
		return time.TimeOnly
	}
}

// tick is a mark on the scale.
type tick struct {
	at    time.Time
	label string
}

// ticks returns at most that many marks at round times.
func (c chart) ticks(most int) []tick {
	long := c.until.Sub(c.from)
	for _, step := range []time.Duration{10 * time.Second, 30 * time.Second, time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute,
		30 * time.Minute, time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour, 48 * time.Hour, 7 * 24 * time.Hour, 14 * 24 * time.Hour} {
		if int(long/step)+1 <= most {
			return c.evenTicks(step)
		}
	}
	for _, months := range []int{1, 2, 3, 6} {
		if int(long/(28*24*time.Hour))/months+1 <= most {
			return c.monthTicks(months)
		}
	}
	return c.monthTicks(12 * (int(long/(366*24*time.Hour))/max(most, 1) + 1))
}

func (c chart) evenTicks(step time.Duration) (list []tick) {
	layout := "15:04"
	if step < time.Minute {
		layout = time.TimeOnly
	}
	for at := c.from.UTC().Truncate(step); at.Before(c.until); at = at.Add(step) {
		label := at.Format(layout)
		if at.Equal(at.Truncate(24 * time.Hour)) {
			label = at.Format("Jan 2")
		}
		list = append(list, tick{at, label})
	}
	return slices.DeleteFunc(list, func(t tick) bool { return t.at.Before(c.from) })
}

// monthTicks returns marks at the first of a month. The label of January is the year.
func (c chart) monthTicks(months int) (list []tick) {
	year, _, _ := c.from.UTC().Date()
	for at := time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC); at.Before(c.until); at = at.AddDate(0, months, 0) {
		label := at.Format("Jan")
		if at.Month() == time.January {
			label = at.Format("2006")
		}
		list = append(list, tick{at, label})
	}
	return slices.DeleteFunc(list, func(t tick) bool { return t.at.Before(c.from) })
}

// shortName returns the beginning of the key's name.
func shortName(k api.PlannedKey) string { return k.Name[:min(len(k.Name), 8)] }

// inOrder returns the keys of a group in the order in which they sign.
func (g chartGroup) inOrder() []api.PlannedKey {
	return slices.SortedStableFunc(slices.Values(g.keys), func(a, b api.PlannedKey) int {
		return cmp.Or(a.ActivatesAt.Compare(b.ActivatesAt), a.PublishedAt.Compare(b.PublishedAt))
	})
}
