package drill

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"time"

	"signet/cmd/signet/internal/cli"
)

// maxCacheControl bounds how many different headers are reported: max-age changes before a rotation.
const maxCacheControl = 4

// report is the result of a drill.
type report struct {
	OK           bool       `json:"ok"`
	Verdict      string     `json:"verdict"`
	Issuer       string     `json:"issuer"`
	KeySet       string     `json:"jwks_uri"`
	Verifier     string     `json:"verifier,omitempty"`
	StartedAt    time.Time  `json:"started_at"`
	EndedAt      time.Time  `json:"ended_at"`
	Rounds       int        `json:"rounds"`
	Rotations    []rotation `json:"rotations"`
	CacheControl []string   `json:"cache_control"`
	MaxAge       int        `json:"max_age_seconds"` // the longest seen
	Age          int        `json:"age_seconds"`     // the oldest copy seen
	Failures     []failure  `json:"failures"`
}

// rotation is one rotation as clients and services see it.
type rotation struct {
	OldKey         string    `json:"old_kid"`
	NewKey         string    `json:"new_kid"`
	ActivatesAt    time.Time `json:"activates_at"`
	VisibleAt      time.Time `json:"visible_at,omitzero"` // in the key set
	VisibleAtStart bool      `json:"visible_at_start"`    // and there before the drill
	SignedAt       time.Time `json:"signed_at,omitzero"`
	VisibleFor     float64   `json:"visible_before_it_signed_seconds"`
}

// failure is a check that failed, in one round or in several.
type failure struct {
	At     time.Time `json:"at"`
	Until  time.Time `json:"until"`
	Times  int       `json:"times"`
	Check  string    `json:"check"`
	Detail string    `json:"detail"`
}

// fail adds a failure. A repeated failure is counted.
func (r *report) fail(now time.Time, check, detail string) {
	now = now.UTC()
	for i := range r.Failures {
		if f := &r.Failures[i]; f.Check == check && f.Detail == detail {
			f.Until = now
			f.Times++
			return
		}
	}
	r.Failures = append(r.Failures, failure{At: now, Until: now, Times: 1, Check: check, Detail: detail})
}

func (r *report) failed() (n int) {
	for _, f := range r.Failures {
		n += f.Times
	}
	return n
}

// cutShort is the name of the check that fails if the drill ends before the rotation.
const cutShort = "drill"

// onlyCutShort reports whether the drill failed by ending early and by nothing else.
func (r *report) onlyCutShort() bool {
	return !slices.ContainsFunc(r.Failures, func(f failure) bool { return f.Check != cutShort })
}

// finish prints the report. bad is the verdict if there were failures.
func (d *rehearsal) finish(bad string) error {
	r := &d.report
	r.EndedAt, r.OK, r.Verdict = time.Now().UTC(), len(r.Failures) == 0, "nobody noticed"
	if !r.OK {
		r.Verdict = bad
	}
	r.Rotations, r.CacheControl, r.Failures = append([]rotation{}, r.Rotations...), append([]string{}, r.CacheControl...), append([]failure{}, r.Failures...)
	if err := d.app.Print(r, r.write); err != nil {
		return err
	}
	if !r.OK {
		return fmt.Errorf("%s; failures: %d", bad, r.failed())
	}
	return nil
}

func (r *report) write(w io.Writer) {
	cli.Row(w, "issuer", r.Issuer)
	cli.Row(w, "key set", r.KeySet)
	if r.Verifier != "" {
		cli.Row(w, "verifier", r.Verifier)
	}
	cli.Row(w, "watched", fmt.Sprintf("%d rounds in %s", r.Rounds, cli.RoundDuration(r.EndedAt.Sub(r.StartedAt))))
	for _, rotation := range r.Rotations {
		cli.Row(w, "old key", rotation.OldKey)
		cli.Row(w, "new key", rotation.NewKey+", "+rotation.visible())
	}
	for _, header := range r.CacheControl {
		cli.Row(w, "cache-control", cli.OrDash(header))
	}
	if r.Age > 0 {
		cli.Row(w, "oldest copy", strconv.Itoa(r.Age)+" s")
	}
	for _, f := range r.Failures {
		cli.Row(w, "FAILED", fmt.Sprintf("%s  %s, %d times until %s: %s", cli.FormatTime(f.At), f.Check, f.Times, cli.FormatTime(f.Until), f.Detail))
	}
	cli.Row(w, "verdict", r.Verdict)
}

// visible writes how long the new key was in the key set before it signed.
func (r rotation) visible() string {
	switch {
	case r.SignedAt.IsZero():
		return "which did not sign"
	case r.VisibleAt.IsZero():
		return "which signs since " + cli.FormatTime(r.SignedAt) + " and was not in the key set before"
	}
	least := ""
	if r.VisibleAtStart {
		least = "at least "
	}
	return "in the key set for " + least + time.Duration(r.VisibleFor*float64(time.Second)).Round(time.Second).String() +
		" before it signed, at " + cli.FormatTime(r.SignedAt)
}
