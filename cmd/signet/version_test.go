package main

import (
	"bytes"
	"runtime"
	"runtime/debug"
	"testing"
)

func TestVersionOfBuildInformation(t *testing.T) {
	const commit = "46045ea1f0a4a9a3a1f2d3c4b5a6978812345678"
	platform := runtime.GOOS + "/" + runtime.GOARCH
	vcs := func(modified string) []debug.BuildSetting {
		return []debug.BuildSetting{{Key: "vcs", Value: "git"}, {Key: "vcs.revision", Value: commit}, {Key: "vcs.time", Value: "2026-11-29T08:51:00Z"},
			{Key: "vcs.modified", Value: modified}}
	}
	for _, test := range []struct {
		name     string
		info     debug.BuildInfo
		override string
		want     buildVersion
		text     string
	}{
		{"a tag", debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "v1.2.3"}, Settings: vcs("false")}, "",
			buildVersion{"v1.2.3", commit, "2026-11-29T08:51:00Z", false, "go1.26.8", platform},
			"signet v1.2.3 (go1.26.8, " + platform + ")\ncommit " + commit + " of 2026-11-29T08:51:00Z\n"},
		{"modified files", debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "v1.2.3+dirty"}, Settings: vcs("true")}, "",
			buildVersion{"v1.2.3+dirty", commit, "2026-11-29T08:51:00Z", true, "go1.26.8", platform},
			"signet v1.2.3+dirty (go1.26.8, " + platform + ")\ncommit " + commit + " of 2026-11-29T08:51:00Z, with changes that were not committed\n"},
		{"an override", debug.BuildInfo{GoVersion: "go1.26.8", Main: debug.Module{Version: "(devel)"}}, "v1.2.4",
			buildVersion{"v1.2.4", "", "", false, "go1.26.8", platform}, "signet v1.2.4 (go1.26.8, " + platform + ")\n"},
		{"nothing", debug.BuildInfo{}, "",
			buildVersion{"(devel)", "", "", false, runtime.Version(), platform}, "signet (devel) (" + runtime.Version() + ", " + platform + ")\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got := versionOf(&test.info, test.override)
			if got != test.want {
				t.Errorf("got %+v, want %+v", got, test.want)
			}
			var text bytes.Buffer
			got.write(&text)
			if text.String() != test.text {
				t.Errorf("got %q, want %q", text.String(), test.text)
			}
		})
	}
}
