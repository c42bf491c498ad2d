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

func NewStoreSeal(app *cli.App) *cobra.Command {
	return connect.Flags(app, &cobra.Command{
		Use:   "seal",
		Short: "Give every record a seal, and refuse records without one",
		Long: "Give every record of the store a seal: a MAC under the master key, by which servers notice records that\n" +
			"somebody else has written. New stores have them. A store from before gets them by this command, once all\n" +
			"servers have this version; it refuses while an older one runs. From then on a record without a seal is\n" +
			"refused. Run it again after `signet keys rewrap`, so that the old master key can be taken away.\n\n" +
			"Servers go on working meanwhile. An interruption does no harm: run it again.",
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
				fmt.Fprintf(w, "every record has a seal now: %d, of which %d were sealed by this\n", last.Looked, last.Sealed)
			})
		},
	})
}

// followSeal reads the lines to the last one.
func followSeal(app *cli.App, in io.Reader) (last api.SealProgress, err error) {
	tally := app.Tally("sealed")
	defer tally.Clear()
	lines := json.NewDecoder(in)
	for !last.Done {
		last = api.SealProgress{}
		err := lines.Decode(&last)
		switch {
		case errors.Is(err, io.EOF):
			return last, errors.New("the server has broken off; see its log and run this again, it goes on where it stopped")
		case err != nil:
			return last, fmt.Errorf("reading the answer: %w; run this again, it goes on where it stopped", err)
		case last.Error != "":
			return last, fmt.Errorf("%s; run this again once that is mended, it goes on where it stopped", last.Error)
		case last.Step == "seal":
			tally.Add()
		}
	}
	return last, nil
}
