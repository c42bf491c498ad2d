package main

import (
	"cmp"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
)

// buildVersion is the output of `signet version`.
type buildVersion struct {
	Version  string `json:"version"`            // the tag, or a Go pseudo-version that has the time and the commit; "+dirty" ends that of modified files
	Commit   string `json:"commit,omitempty"`   // as Git has it
	Time     string `json:"time,omitempty"`     // of the commit, RFC 3339
	Modified bool   `json:"modified,omitempty"` // built from files that were not committed
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// release is the version of a build without a repository, such as that of deploy/Dockerfile: -ldflags "-X main.release=v1.2.3".
// It overrides the build information.
var release string

func thisVersion() buildVersion {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		info = &debug.BuildInfo{}
	}
	return versionOf(info, release)
}

// versionOf reads the build information that Go writes into a program. override replaces its version, if it is not empty.
func versionOf(info *debug.BuildInfo, override string) buildVersion {
	v := buildVersion{
		Version:  cmp.Or(override, info.Main.Version, "(devel)"),
		Go:       cmp.Or(info.GoVersion, runtime.Version()),
		Platform: runtime.GOOS + "/" + runtime.GOARCH,
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
		case "vcs.time":
			v.Time = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}

// version returns the version for the log and the metrics of a server.
func version() string { return thisVersion().Version }

func versionCommand(app *cli.App) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Show the version",
		Example: "signet version -o json",
		Args:    cli.Args(),
		RunE:    func(*cobra.Command, []string) error { return printVersion(app) },
	}
}

func printVersion(app *cli.App) error {
	v := thisVersion()
	return app.Print(v, v.write)
}

// write writes the version for people: a line, and another one for the commit.
func (v buildVersion) write(w io.Writer) {
	cli.Row(w, "signet "+v.Version+" ("+v.Go+", "+v.Platform+")")
	if v.Commit == "" {
		return
	}
	line := "commit " + v.Commit
	if v.Time != "" {
		line += " of " + v.Time
	}
	if v.Modified {
		line += ", with changes that were not committed"
	}
	cli.Row(w, line)
}
