package main

import (
	"fmt"
	"strings"
)

// listRow is service, host, path, target, state, TLS.
type listRow [6]string

// listTable draws the table with its escape codes, which stand in it even when
// nobody looks at a terminal.
func listTable(rows []listRow) string {
	header := listRow{"Service", "Host", "Path", "Target", "State", "TLS"}
	var width [len(header)]int
	for _, row := range append([]listRow{header}, rows...) {
		for i, cell := range row {
			width[i] = max(width[i], len(cell))
		}
	}
	var out strings.Builder
	line := func(row listRow, style func(column int) string) {
		for i, cell := range row {
			fmt.Fprintf(&out, "%s%s\x1b[0m%*s", style(i), cell, width[i]-len(cell)+2, "")
		}
		out.WriteByte('\n')
	}
	line(header, func(int) string { return "\x1b[3;94m" })
	for _, row := range rows {
		line(row, func(column int) string {
			if column == 0 {
				return "\x1b[1;34m"
			}
			return "\x1b[m"
		})
	}
	return out.String()
}
