// Package dialog holds the boxes that ask something, one file each. A dialog
// that can hurt starts on Cancel and closes without a trace on esc. It may
// import ops, ui/theme, ui/kit and ui/widget.
package dialog
