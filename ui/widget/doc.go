// Package widget draws: tables, lines of input, lists of lines, trees of steps.
// A widget draws from its arguments alone and knows no pane. It may import ops,
// ui/theme and ui/kit.
package widget
