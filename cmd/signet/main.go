package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	cobra.EnableCommandSorting = false // the order of the code is the order of the help
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	a := &app{stdio: stdio{os.Stdin, os.Stdout, os.Stderr}, environ: os.Environ(), format: formatTable, now: programClock()}
	os.Exit(a.run(ctx, os.Args[1:]))
}
