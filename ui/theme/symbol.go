package theme

// Symbols are the marks that stand beside words; each is one cell wide. A
// symbol never stands alone for a state: a word or a number says it too.
type Symbols struct {
	Live, Off, Lost, Alert, Active, Done, Waiting, Skip, Unknown string

	Ellipsis, Dash, Dot, Arrow, Caret, Mark string
	Full, Empty                             string // a bar that was counted

	Border Border
}

// Border are the pieces of a frame.
type Border struct {
	Horizontal, Vertical                       string
	TopLeft, TopRight, BottomLeft, BottomRight string
	TeeLeft, TeeRight                          string // ├ and ┤
	Rule                                       string // a line inside a pane
	Last, Branch, Trunk                        string // the tree of steps: └ ├ │
}

func unicodeSymbols() Symbols {
	return Symbols{
		Live: "●", Off: "○", Lost: "✕", Alert: "▲", Active: "▸", Done: "✓", Waiting: "·", Skip: "–", Unknown: "?",
		Ellipsis: "…", Dash: "–", Dot: "·", Arrow: "→", Caret: "▏", Mark: "◆",
		Full: "▮", Empty: "▯",
		Border: Border{
			Horizontal: "─", Vertical: "│", TopLeft: "╭", TopRight: "╮", BottomLeft: "╰", BottomRight: "╯",
			TeeLeft: "├", TeeRight: "┤", Rule: "─", Last: "└", Branch: "├", Trunk: "│",
		},
	}
}

func asciiSymbols() Symbols {
	return Symbols{
		Live: "*", Off: "o", Lost: "x", Alert: "!", Active: ">", Done: "+", Waiting: ".", Skip: "-", Unknown: "?",
		Ellipsis: "~", Dash: "-", Dot: "-", Arrow: ">", Caret: "_", Mark: "#",
		Full: "#", Empty: ".",
		Border: Border{
			Horizontal: "-", Vertical: "|", TopLeft: "+", TopRight: "+", BottomLeft: "+", BottomRight: "+",
			TeeLeft: "+", TeeRight: "+", Rule: "-", Last: "`", Branch: "|", Trunk: "|",
		},
	}
}
