package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/spf13/cobra"

	"signet/cmd/signet/internal/cli"
)

// sealProgress is one line of the answer of POST /v1/store/seal.
type sealProgress struct {
	Step    string   `json:"step"`
	Looked  int      `json:"looked"`
	Sealed  int      `json:"sealed"`
	Waiting []string `json:"waiting,omitempty"`
	Done    bool     `json:"done,omitempty"`
	Error   string   `json:"error,omitempty"`
}

func storeSealCommand(app *cli.App) *cobra.Command {
	return remote(app, &cobra.Command{
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
			c, err := connect(app)
			if err != nil {
				return err
			}
			resp, err := c.send(cmd.Context(), http.MethodPost, pathTo("store", "seal"), "application/json", strings.NewReader("{}"))
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			last, err := followSeal(app, resp.Body)
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
func followSeal(app *cli.App, in io.Reader) (last sealProgress, err error) {
	tally := app.Tally("sealed")
	defer tally.Clear()
	lines := json.NewDecoder(in)
	for !last.Done {
		last = sealProgress{}
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
