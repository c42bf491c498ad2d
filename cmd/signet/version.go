package main

import (
	"cmp"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
)

// buildVersion is the output of `signet version`, from the build information of Go.
type buildVersion struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified,omitempty"` // built from files that were not committed
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

// release is the version of a build without a repository, such as that of the image: -ldflags "-X main.release=v1.2.3".
// It overrides the build information.
var release string

func thisVersion() buildVersion {
	v := buildVersion{Version: cmp.Or(release, "(devel)"), Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" && release == "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Commit = s.Value
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
	return app.Print(v, func(w io.Writer) { cli.Row(w, "signet "+v.Version+" ("+v.Go+", "+v.Platform+")") })
}
