package config

import "reflect"

// Reloadable compares two valid configurations and names what differs: what takes effect at once,
// and what only the next start will read.
func Reloadable(old, new Config) (changed, needRestart []string) {
	before, after := fields(&old), fields(&new)
	for i, f := range after {
		if reflect.DeepEqual(before[i].value.Interface(), f.value.Interface()) {
			continue
		}
		if f.live {
			changed = append(changed, f.path)
		} else {
			needRestart = append(needRestart, f.path)
		}
	}
	return changed, needRestart
}
