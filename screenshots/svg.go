package main

import (
	"fmt"
	"html"
	"image/color"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// The size of one cell and the colours of an ordinary dark terminal.
const (
	cellWidth  = 8.4
	cellHeight = 17
	margin     = 14
	paper      = "#16181d"
	ink        = "#d5d8de"
)

// svg draws a frame with ANSI colours. Each span of cells stands at its own
// column, so that the picture keeps its grid whatever font draws it.
func svg(frame string, width, height int) string {
	var b strings.Builder
	w, h := float64(width)*cellWidth+2*margin, float64(height)*cellHeight+2*margin
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" width="%.0f" height="%.0f" viewBox="0 0 %.0f %.0f">`, w, h, w, h)
	fmt.Fprintf(&b, `<rect width="100%%" height="100%%" rx="8" fill="%s"/>`, paper)
	b.WriteString(`<g font-family="'JetBrains Mono','DejaVu Sans Mono',Menlo,Consolas,monospace" font-size="14" xml:space="preserve">` + "\n")
	for y, line := range strings.Split(frame, "\n") {
		for _, r := range spans(line) {
			drawSpan(&b, r, y)
		}
	}
	b.WriteString("</g></svg>\n")
	return b.String()
}

// plain is a frame without colours.
func plain(frame string) string { return ansi.Strip(frame) }

// Private

// span is neighbouring cells of one look.
type span struct {
	column, cells int
	text          string
	look          look
}

type look struct {
	fg, bg                           color.Color
	bold, faint, underline, reversed bool
}

func spans(line string) []span {
	var out []span
	var now look
	column := 0
	state := byte(0)
	parser := ansi.NewParser()
	for len(line) > 0 {
		seq, cells, n, next := ansi.DecodeSequence(line, state, parser)
		line, state = line[n:], next
		if cells == 0 {
			if parser.Command() == 'm' && strings.HasPrefix(seq, "\x1b[") {
				now = now.with(parser.Params())
			}
			continue
		}
		if k := len(out) - 1; k >= 0 && out[k].look == now && out[k].column+out[k].cells == column && cells == 1 && len(seq) == 1 {
			out[k].text += seq
			out[k].cells += cells
		} else {
			out = append(out, span{column: column, cells: cells, text: seq, look: now})
		}
		column += cells
	}
	return out
}

// with applies one SGR sequence.
func (l look) with(params ansi.Params) look {
	if len(params) == 0 {
		return look{}
	}
	for i := 0; i < len(params); i++ {
		p := params[i].Param(0)
		switch {
		case p == 0:
			l = look{}
		case p == 1:
			l.bold = true
		case p == 2:
			l.faint = true
		case p == 4:
			l.underline = true
		case p == 7:
			l.reversed = true
		case p == 22:
			l.bold, l.faint = false, false
		case p == 24:
			l.underline = false
		case p == 27:
			l.reversed = false
		case p == 39:
			l.fg = nil
		case p == 49:
			l.bg = nil
		case p == 38 || p == 48:
			var c color.Color
			n := ansi.ReadStyleColor(params[i:], &c)
			if n == 0 {
				return l
			}
			if p == 38 {
				l.fg = c
			} else {
				l.bg = c
			}
			i += n - 1
		case p >= 30 && p <= 37:
			l.fg = ansi.BasicColor(p - 30)
		case p >= 90 && p <= 97:
			l.fg = ansi.BasicColor(p - 90 + 8)
		case p >= 40 && p <= 47:
			l.bg = ansi.BasicColor(p - 40)
		}
	}
	return l
}

func drawSpan(b *strings.Builder, r span, row int) {
	fg, bg := hex(r.look.fg, ink), hex(r.look.bg, "")
	if r.look.reversed {
		fg, bg = hex(r.look.bg, paper), hex(r.look.fg, ink)
	}
	x, y := margin+float64(r.column)*cellWidth, float64(margin+row*cellHeight)
	if bg != "" {
		fmt.Fprintf(b, `<rect x="%.1f" y="%.1f" width="%.1f" height="%d" fill="%s"/>`, x, y, float64(r.cells)*cellWidth, cellHeight, bg)
	}
	if strings.TrimSpace(r.text) == "" {
		return
	}
	attrs := ""
	if r.look.bold {
		attrs += ` font-weight="bold"`
	}
	if r.look.faint {
		attrs += ` opacity="0.6"`
	}
	if r.look.underline {
		attrs += ` text-decoration="underline"`
	}
	fmt.Fprintf(b, `<text x="%.1f" y="%.1f" textLength="%.1f" lengthAdjust="spacingAndGlyphs" fill="%s"%s>%s</text>`+"\n",
		x, y+13.5, float64(r.cells)*cellWidth, fg, attrs, html.EscapeString(r.text))
}

// Helpers

func hex(c color.Color, fallback string) string {
	if c == nil {
		return fallback
	}
	r, g, bl, _ := c.RGBA()
	return fmt.Sprintf("#%02x%02x%02x", r>>8, g>>8, bl>>8)
}
