package manage

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
	"signet/cmd/signet/internal/connect"
	"signet/server/admin/api"
)

// NewStoreSeal returns the command `signet store seal`.
func NewStoreSeal(app *cli.App) *cobra.Command {
	return connect.Flags(app, &cobra.Command{
		Use:   "seal",
		Short: "Add seals to all records, and refuse records without one",
		Long: "Add a seal to every record of the store: a MAC under the master key, by which servers detect records that\n" +
			"another program has written. New stores have seals. For an older store, run this once all servers have this\n" +
			"version; it is refused while an older one runs. From then on servers refuse records without a seal. Run it\n" +
			"again after `signet keys rewrap`, before you remove the old master key.\n\n" +
			"Servers keep working while it runs. After an interruption, run it again.",
		Example: "signet store seal --config /etc/signet/signet.yaml",
		Args:    cli.Args(),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c, err := connect.Client(app)
			if err != nil {
				return err
			}
			answer, err := c.Open(cmd.Context(), api.SealStore.At(), struct{}{})
			if err != nil {
				return err
			}
			defer answer.Close()
			last, err := followSeal(app, answer)
			if err != nil {
				return err
			}
			return app.Print(last, func(w io.Writer) {
				fmt.Fprintf(w, "every record has a seal now: %d, of which %d are new\n", last.Looked, last.Sealed)
			})
		},
	})
}

// followSeal reads progress lines and returns the last one.
func followSeal(app *cli.App, in io.Reader) (last api.SealProgress, err error) {
	tally := app.Tally("sealed")
	defer tally.Clear()
	lines := json.NewDecoder(in)
	for !last.Done {
		last = api.SealProgress{}
		err := lines.Decode(&last)
		switch {
		case errors.Is(err, io.EOF):
			return last, errors.New("the answer ended early; see the log of the server and run this again, it continues where it stopped")
		case err != nil:
			return last, fmt.Errorf("reading the answer: %w; run this again, it continues where it stopped", err)
		case last.Error != "":
			return last, fmt.Errorf("%s; run this again once that is fixed, it continues where it stopped", last.Error)
		case last.Step == "seal":
			tally.Add()
		}
	}
	return last, nil
}
