// Command argv runs on a host of the real fleet and prints the command line
// of every process it sees, once each, so that a test can look for what must
// never stand in one. It prints a first line, "watching", when it has begun.
//
// It may import the standard library only.
package main

import (
	"bufio"
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"time"
)

// pause is short enough to see a `docker login`, which lives some 30 ms.
const pause = 3 * time.Millisecond

func main() {
	out := bufio.NewWriter(os.Stdout)
	seen := map[string]bool{}
	if _, err := out.WriteString("watching\n"); err != nil {
		os.Exit(1)
	}
	for {
		for _, line := range commandLines() {
			if seen[line] {
				continue
			}
			seen[line] = true
			if _, err := out.WriteString(strconv.Quote(line) + "\n"); err != nil {
				os.Exit(1)
			}
		}
		if err := out.Flush(); err != nil {
			os.Exit(1)
		}
		time.Sleep(pause)
	}
}

// Helpers

func commandLines() []string {
	dirs, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return nil
	}
	var lines []string
	for _, dir := range dirs {
		b, err := os.ReadFile(filepath.Join(dir, "cmdline"))
		if err != nil || len(b) == 0 {
			continue
		}
		lines = append(lines, string(bytes.ReplaceAll(bytes.TrimRight(b, "\x00"), []byte{0}, []byte{' '})))
	}
	return lines
}
