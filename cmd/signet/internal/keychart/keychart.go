package keychart

import (
	"fmt"
	"io"

	"signet/cmd/signet/internal/cli"
	"signet/server/admin/api"
)

func writeSteps(w io.Writer, p api.KeyPlan) {
	if len(p.Steps) == 0 {
		return
	}
	cli.Row(w, "NEXT", "AT", "KEY", "STEP")
	for i, s := range p.Steps {
		if i == nextSteps {
			break
		}
		cli.Row(w, cli.Relative(s.At, p.From), cli.FormatTime(s.At), keyLabel(s.Name, s.Alg), stepText(s.Step))
	}
}

// nextSteps is how many steps are listed below the timeline.
const nextSteps = 8

// keyLabel returns the beginning of a key's name and its algorithm.
func keyLabel(name, alg string) string {
	const enough = 8
	if len(name) > enough {
		name = name[:enough]
	}
	return name + " " + alg
}

func stepText(step string) string {
	switch step {
	case "published":
		return "is published"
	case "active":
		return "begins to sign"
	case "retired":
		return "stops signing, is kept"
	case "removed":
		return "leaves the key set"
	}
	return step
}

// Print writes the plan as a table, a picture or JSON.
func Print(app *cli.App, p api.KeyPlan) error {
	switch app.Format {
	case cli.FormatJSON:
		return app.PrintJSON(p)
	case cli.FormatSVG:
		_, err := io.WriteString(app.Out, drawSVG(p))
		return err
	}
	if _, err := io.WriteString(app.Out, text(p, app.Columns(), app.Unicode())); err != nil {
		return fmt.Errorf("writing the output: %w", err)
	}
	return app.Print(nil, func(w io.Writer) { writeSteps(w, p) })
}
