// Command test runs `go test` with its arguments and prints what `go test` prints. It ends with one line for each reason why
// tests were skipped:
//
//	go run .ci/test.go ./...
package main

import (
	"bufio"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
)

// event is a line of `go test -json`; see `go doc test2json`.
type event struct {
	Action, Package, Test, Output, ImportPath string
}

// run is the state of one `go test`.
type run struct {
	output  map[string][]string // of tests that have not ended, by package and test
	skipped map[string]int      // how many tests, by reason
}

func main() {
	cmd := exec.Command("go", append([]string{"test", "-json"}, os.Args[1:]...)...)
	cmd.Stderr = os.Stderr
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "test:", err)
		os.Exit(1)
	}
	r := &run{output: map[string][]string{}, skipped: map[string]int{}}
	for lines := bufio.NewReader(stdout); ; {
		line, err := lines.ReadString('\n')
		if err != nil {
			break
		}
		var e event
		if json.Unmarshal([]byte(line), &e) != nil {
			fmt.Print(line) // of the go command itself
			continue
		}
		r.add(e)
	}
	r.summarize()
	if err := cmd.Wait(); err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			fmt.Fprintln(os.Stderr, "test:", err)
		}
		os.Exit(1)
	}
}

func (r *run) add(e event) {
	key := e.Package + " " + e.Test
	switch {
	case e.Action == "build-output":
		fmt.Print(e.Output)
	case e.Action == "output" && e.Test == "":
		r.packageOutput(e.Output)
	case e.Action == "output":
		r.output[key] = append(r.output[key], e.Output)
	case e.Action == "skip" && e.Test != "":
		r.skipped[reason(r.output[key])]++
		delete(r.output, key)
	case e.Action == "fail" && e.Test != "":
		fmt.Print(strings.Join(r.output[key], ""))
		delete(r.output, key)
	case e.Action == "pass" && e.Test != "":
		if text := strings.Join(r.output[key], ""); strings.Contains(text, "DATA RACE") { // go test gives it to the test that printed last
			fmt.Print(text)
		}
		delete(r.output, key)
	}
}

// packageOutput prints what a package prints by itself, and counts packages that skip all of their tests.
func (r *run) packageOutput(line string) {
	if why, found := strings.CutPrefix(line, "skipped: "); found {
		r.skipped[strings.TrimSpace(why)]++
		return
	}
	if line != "PASS\n" && !strings.Contains(line, "[no test files]") {
		fmt.Print(line)
	}
}

var position = regexp.MustCompile(`^ *\S+\.go:\d+: `)

// reason returns what a skipped test printed last, without file and line.
func reason(output []string) string {
	for _, line := range slices.Backward(output) {
		if position.MatchString(line) && !strings.Contains(line, "WORK=") { // testscript logs its directory last
			return strings.TrimSpace(position.ReplaceAllString(line, ""))
		}
	}
	return "no reason given"
}

func (r *run) summarize() {
	total := 0
	var reasons []string
	for why, n := range r.skipped {
		total += n
		reasons = append(reasons, why)
	}
	slices.SortFunc(reasons, func(a, b string) int { return cmp.Or(r.skipped[b]-r.skipped[a], strings.Compare(a, b)) })
	if total == 0 {
		fmt.Println("no test was skipped")
		return
	}
	fmt.Printf("skipped: %d\n", total)
	for _, why := range reasons {
		fmt.Printf("%6d  %s\n", r.skipped[why], why)
	}
}
