// Package logs follows what containers write: it merges many streams by time
// into one byte-bounded ring, tells levels, finds text, and keeps following
// while containers come and go. It knows no terminal and no transport: streams
// come from a function that its user gives. It may import ops.
package logs
