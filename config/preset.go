package config

import (
	"slices"
	"time"
)

// The presets of the key timetable.
const (
	presetStandard = "standard"
	presetFast     = "fast"
	presetStrict   = "strict"
)

// Presets names the values that keys.preset takes, the default first.
func Presets() []string { return []string{presetStandard, presetStrict, presetFast} }

// withPreset returns the defaults as the preset has them. A name that is not a preset changes nothing:
// saying that it is wrong is for validation.
func withPreset(name string) Config {
	c := Default()
	switch name {
	case presetFast:
		c.AccessToken.TTL, c.Keys = 5*time.Second, fastKeys()
	case presetStrict:
		c.AccessToken.TTL, c.Keys = 2*time.Minute, strictKeys()
	}
	return c
}

// standardKeys gives every verifier known to us a day to find a new key.
func standardKeys() Keys {
	return Keys{
		Preset:       presetStandard,
		Publish:      24 * time.Hour,
		Active:       30 * day,
		Retain:       24 * time.Hour,
		Cache:        time.Hour,
		CDN:          time.Hour,
		Skew:         time.Minute,
		MaxTokenLife: time.Hour,
		Leeway:       5 * time.Minute,
		SignStale:    10 * time.Minute,
		ServeStale:   6 * time.Hour,
		Poll:         10 * time.Second,
		HSM:          standardHSM(),
	}
}

// strictKeys limits what a stolen key or token is good for, and how long a replica acts on what it
// cannot look up. Verifiers are given as long as by the standard: they are not ours to hurry.
func strictKeys() Keys {
	k := standardKeys()
	k.Preset = presetStrict
	k.Active = 7 * day
	k.MaxTokenLife = 15 * time.Minute
	k.SignStale = 5 * time.Minute
	k.ServeStale = 2 * time.Hour
	return k
}

// fastKeys lets one watch a key's whole life in a minute. Both inequalities hold with seconds to
// spare, and a key signs for longer than it takes to make and publish its successor.
func fastKeys() Keys {
	return Keys{
		Preset:       presetFast,
		Publish:      10 * time.Second,
		Active:       15 * time.Second,
		Retain:       15 * time.Second,
		Cache:        time.Second,
		CDN:          time.Second,
		Skew:         time.Second,
		MaxTokenLife: 5 * time.Second,
		Leeway:       time.Second,
		SignStale:    2 * time.Second,
		ServeStale:   4 * time.Second,
		Poll:         500 * time.Millisecond,
		HSM:          standardHSM(),
	}
}

func (c Config) presetWarnings() []Warning {
	if c.Keys.Preset != presetFast {
		return nil
	}
	return []Warning{"keys.preset: fast is for tests and demos: keys change every few seconds, and verifiers that fetch the key set again at most every so often refuse fresh tokens " +
		"(jose 30s, keyfunc 5m, jwx 15m; PyJWT and go-oidc fetch at once)"}
}

func (c Config) checkPreset(k *checker) {
	if slices.Contains(Presets(), c.Keys.Preset) {
		return
	}
	text := "%q is not one of standard, strict, fast"
	if meant := nearest(c.Keys.Preset, Presets()); meant != "" {
		text += "; did you mean " + meant + "?"
	}
	k.add("keys.preset", text, c.Keys.Preset)
}
