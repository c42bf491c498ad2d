package metrics

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"signet/keys"
	"signet/keys/jose"
	"signet/keys/rotation"
)

// Keyring has the numbers of the keyring and of the tokens that name keys which are not in it.
type Keyring struct {
	keyring     *keys.Manager
	now         func() time.Time
	published   *prometheus.Desc
	unpublished *prometheus.CounterVec
}

// NewKeyring registers the metrics of a keyring.
func NewKeyring(reg prometheus.Registerer, keyring *keys.Manager, now func() time.Time) *Keyring {
	m := &Keyring{keyring: keyring, now: now,
		published: prometheus.NewDesc("signet_keys_published", "Keys in the key set, by algorithm; more than 4 overflow the caches of some verifiers.", []string{"alg"}, nil),
		unpublished: prometheus.NewCounterVec(prometheus.CounterOpts{Name: "signet_introspected_unpublished_kids_total",
			Help: "JWTs presented at introspection whose kid is not in the key set, by what is known of it: unknown, pending, removed, revoked."}, []string{"state"}),
	}
	for _, state := range []rotation.State{rotation.Unknown, rotation.Pending, rotation.Removed, rotation.Revoked} {
		m.unpublished.WithLabelValues(string(state)) // so that the first one is a rise from 0
	}
	reg.MustRegister(m, m.unpublished)
	m.registerGauges(reg)
	registerClock(reg, keyring)
	return m
}

func (m *Keyring) registerGauges(reg prometheus.Registerer) {
	gauge(reg, "signet_keyring_version", "Version of the keyring held.", func() float64 { return float64(m.keyring.Version()) })
	gauge(reg, "signet_keyring_staleness_seconds", "Seconds since the keyring was last read.",
		func() float64 { return m.now().Sub(m.keyring.ReadAt()).Seconds() })
	gauge(reg, "signet_signing_key_age_seconds", "Seconds since the primary algorithm's key began to sign.", m.sinceActive)
	gauge(reg, "signet_key_next_step_seconds", "Seconds until the next step of any key is due; below 0 while one that was due has not been written.", m.untilNextStep)
}

// Describe implements prometheus.Collector, for what has as many values as there are algorithms.
func (m *Keyring) Describe(all chan<- *prometheus.Desc) { all <- m.published }

// Collect implements prometheus.Collector.
func (m *Keyring) Collect(all chan<- prometheus.Metric) {
	count := map[string]int{}
	for _, k := range m.keyring.Keys() {
		if k.Published(m.now()) {
			count[k.Alg]++
		}
	}
	for alg, n := range count {
		all <- prometheus.MustNewConstMetric(m.published, prometheus.GaugeValue, float64(n), alg)
	}
}

// CountForeign counts a presented token whose key is not in the key set.
func (m *Keyring) CountForeign(token string) {
	kid := jose.NamedKey(token)
	if kid == "" {
		return
	}
	if state := m.keyring.Keyring().WhyUnpublished(kid, m.keyring.Clock().Now()); state != "" {
		m.unpublished.WithLabelValues(string(state)).Inc()
	}
}

func (m *Keyring) sinceActive() float64 {
	primary := m.keyring.Algorithms()
	for _, key := range m.keyring.Keys() {
		if key.State == rotation.Active && len(primary) > 0 && key.Alg == primary[0] {
			return m.now().Sub(key.Since).Seconds()
		}
	}
	return 0
}

func (m *Keyring) untilNextStep() float64 {
	next := m.keyring.Keyring().NextStep(m.keyring.Timetable(), m.keyring.Configured(), m.keyring.Clock().Now())
	if next.IsZero() {
		return 0
	}
	return next.Sub(m.now()).Seconds()
}

func registerClock(reg prometheus.Registerer, keyring *keys.Manager) {
	gauge(reg, "signet_clock_behind_seconds", "Seconds that this machine's clock is behind the latest time that was ever seen, where that is more than keys.skew: it signs nothing then.",
		func() float64 { return keyring.Clock().Behind().Seconds() })
	gauge(reg, "signet_keyring_mark_timestamp_seconds", "When this server last wrote its mark of the keyring into data_dir, in Unix seconds; 0: not since the start.",
		func() float64 {
			if at := keyring.MarkedAt(); !at.IsZero() {
				return float64(at.UnixMilli()) / 1000
			}
			return 0
		})
	gauge(reg, "signet_clock_offset_seconds", "Seconds that this machine's clock is ahead of the store's; 0 where the store has none.",
		func() float64 { return keyring.Clock().Status().Offset.Seconds() })
}
