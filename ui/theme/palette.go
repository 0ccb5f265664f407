package theme

import (
	"image/color"

	"charm.land/lipgloss/v2"
)

// palette is the colours of one theme. A nil colour is the terminal's own.
type palette struct {
	plain bool // no colours at all
	basic bool // no shades
	tones [tones]color.Color

	cursor, marked, bar, chip, danger, match color.Color
	onChip                                   color.Color // text on chip, danger, tint and match
}

func paletteFor(o Options) palette {
	var p palette
	switch {
	case o.NoColor:
		return palette{plain: true}
	case o.Dark && o.HighContrast:
		p = darkContrast()
	case o.Dark:
		p = dark()
	case o.HighContrast:
		p = lightContrast()
	default:
		p = light()
	}
	p.basic = o.Basic
	if o.Production {
		p.tones[Brand] = p.tones[Bad]
		if o.Dark && !o.HighContrast {
			p.tones[Brand] = lipgloss.Color("#E58A5B")
		}
	}
	return p
}

func (p palette) style(s Surface, t Tone) lipgloss.Style {
	style := lipgloss.NewStyle()
	switch t {
	case Strong:
		style = style.Bold(true)
	case Bad, Warn:
		style = style.Bold(p.plain)
	}
	if p.plain {
		return plainStyle(style, s, t)
	}
	style = style.Foreground(p.tones[t])
	if p.basic {
		return style.Reverse(s == Cursor || s == Chip || s == Danger || s == Tint).Underline(s == Match)
	}
	switch s {
	case Cursor:
		style = style.Background(p.cursor)
		if t == Faint {
			style = style.Foreground(p.tones[Dim])
		}
	case Marked:
		style = style.Background(p.marked)
	case Bar:
		style = style.Background(p.bar)
	case Chip:
		style = style.Background(p.chip).Foreground(p.onChip)
	case Danger:
		style = style.Background(p.danger).Foreground(p.onChip).Bold(true)
	case Tint:
		style = style.Background(p.tones[Brand]).Foreground(p.onChip).Bold(true)
	case Match:
		style = style.Background(p.match).Foreground(p.onChip)
	}
	return style
}

func plainStyle(style lipgloss.Style, s Surface, t Tone) lipgloss.Style {
	switch s {
	case Cursor, Chip, Danger, Tint:
		style = style.Reverse(true)
	case Match:
		style = style.Underline(true)
	case Bar:
		style = style.Bold(t == Strong || t == Brand)
	}
	return style
}

// Helpers

func dark() palette {
	return palette{
		tones: [tones]color.Color{
			Text:   lipgloss.Color("#C5CBD6"),
			Dim:    lipgloss.Color("#7D8696"),
			Faint:  lipgloss.Color("#434B59"),
			Strong: lipgloss.Color("#EEF1F6"),
			Accent: lipgloss.Color("#7FB4E6"),
			Good:   lipgloss.Color("#86C39A"),
			Warn:   lipgloss.Color("#E3BE72"),
			Bad:    lipgloss.Color("#E8828B"),
			Busy:   lipgloss.Color("#8CC7D9"),
			Brand:  lipgloss.Color("#7CC4B0"),
		},
		// Surfaces are nearly grey: 256 colours turn a bluer grey into a loud blue.
		cursor: lipgloss.Color("#343840"), marked: lipgloss.Color("#26292E"), bar: lipgloss.Color("#1C222C"),
		chip: lipgloss.Color("#7FB4E6"), danger: lipgloss.Color("#E8828B"), match: lipgloss.Color("#E3BE72"),
		onChip: lipgloss.Color("#14181F"),
	}
}

func light() palette {
	return palette{
		tones: [tones]color.Color{
			Text:   lipgloss.Color("#333B47"),
			Dim:    lipgloss.Color("#687282"),
			Faint:  lipgloss.Color("#B9C0CB"),
			Strong: lipgloss.Color("#10151C"),
			Accent: lipgloss.Color("#1F62A8"),
			Good:   lipgloss.Color("#1E7A44"),
			Warn:   lipgloss.Color("#8A5A00"),
			Bad:    lipgloss.Color("#B3202E"),
			Busy:   lipgloss.Color("#17708A"),
			Brand:  lipgloss.Color("#176B5B"),
		},
		cursor: lipgloss.Color("#DBE6F3"), marked: lipgloss.Color("#EBEFF4"), bar: lipgloss.Color("#EDF0F4"),
		chip: lipgloss.Color("#1F62A8"), danger: lipgloss.Color("#B3202E"), match: lipgloss.Color("#8A5A00"),
		onChip: lipgloss.Color("#FFFFFF"),
	}
}

func darkContrast() palette {
	return palette{
		tones: [tones]color.Color{
			Text:   lipgloss.Color("#FFFFFF"),
			Dim:    lipgloss.Color("#D0D0D0"),
			Faint:  lipgloss.Color("#A0A0A0"),
			Strong: lipgloss.Color("#FFFFFF"),
			Accent: lipgloss.Color("#66CCFF"),
			Good:   lipgloss.Color("#66FF99"),
			Warn:   lipgloss.Color("#FFD83D"),
			Bad:    lipgloss.Color("#FF8080"),
			Busy:   lipgloss.Color("#66FFFF"),
			Brand:  lipgloss.Color("#66FFCC"),
		},
		cursor: lipgloss.Color("#004080"), marked: lipgloss.Color("#303030"), bar: lipgloss.Color("#000000"),
		chip: lipgloss.Color("#66CCFF"), danger: lipgloss.Color("#FF8080"), match: lipgloss.Color("#FFD83D"),
		onChip: lipgloss.Color("#000000"),
	}
}

func lightContrast() palette {
	return palette{
		tones: [tones]color.Color{
			Text:   lipgloss.Color("#000000"),
			Dim:    lipgloss.Color("#303030"),
			Faint:  lipgloss.Color("#585858"),
			Strong: lipgloss.Color("#000000"),
			Accent: lipgloss.Color("#0000B0"),
			Good:   lipgloss.Color("#005A20"),
			Warn:   lipgloss.Color("#6A4000"),
			Bad:    lipgloss.Color("#A00000"),
			Busy:   lipgloss.Color("#004B60"),
			Brand:  lipgloss.Color("#004B3A"),
		},
		cursor: lipgloss.Color("#BFDFFF"), marked: lipgloss.Color("#E4E4E4"), bar: lipgloss.Color("#FFFFFF"),
		chip: lipgloss.Color("#0000B0"), danger: lipgloss.Color("#A00000"), match: lipgloss.Color("#6A4000"),
		onChip: lipgloss.Color("#FFFFFF"),
	}
}
