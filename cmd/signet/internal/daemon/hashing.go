package daemon

import (
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"syscall"

	"signet/server/password/worker"
)

// HashArgument is the one argument of the process that hashes passwords. It is in no help: only the server starts it.
const HashArgument = "hash-passwords"

// HashPasswords is that process. It returns what to exit with.
func HashPasswords(in io.Reader, out, errs io.Writer) int {
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)  // sent to the whole group; this process ends after the server
	_ = os.WriteFile("/proc/self/comm", []byte("signet-hash"), 0) // what ps and top show; forbidden once it is hardened
	err := hardenProcess()
	if err == nil {
		err = worker.Serve(in, out)
	}
	if err != nil {
		fmt.Fprintln(errs, err)
		return 1
	}
	return 0
}

// newWorker returns the process that hashes passwords, or nil if the server does it itself.
func newWorker(setting string, isProgram bool, log *slog.Logger) *worker.Process {
	program := worker.Program()
	if setting == "off" || !isProgram || program == "" {
		return nil
	}
	return worker.New(worker.Config{Program: program, Args: []string{os.Args[0], HashArgument}, Log: log})
}
