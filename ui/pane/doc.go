// Package pane holds the console's panes, one file each. A pane draws from its
// kit.Scene alone and answers with intents. It may import ops, ui/theme, ui/kit
// and ui/widget.
package pane
