package network

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// readCommand reads a command as clients send them: an array of bulk strings.
func readCommand(r *bufio.Reader) ([]string, error) {
	count, err := readLength(r, '*', 1<<20)
	if err != nil {
		return nil, err
	}
	args := make([]string, count)
	for i := range args {
		size, err := readLength(r, '$', 512<<20)
		if err != nil {
			return nil, err
		}
		bulk := make([]byte, size+2)
		if _, err := io.ReadFull(r, bulk); err != nil {
			return nil, err
		}
		if string(bulk[size:]) != "\r\n" {
			return nil, fmt.Errorf("a bulk string of %d bytes ends with %q", size, bulk[size:])
		}
		args[i] = string(bulk[:size])
	}
	return args, nil
}

func readLength(r *bufio.Reader, kind byte, most int) (int, error) {
	line, err := r.ReadString('\n')
	if err != nil {
		return 0, err
	}
	digits, ok := strings.CutSuffix(line[1:], "\r\n")
	n, err := strconv.Atoi(digits)
	if line[0] != kind || !ok || err != nil || n < 0 || n > most {
		return 0, fmt.Errorf("got %q, want %c and a length", line, kind)
	}
	return n, nil
}
