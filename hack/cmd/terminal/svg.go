package main

import (
	"bytes"
	"fmt"
	"html"
	"strings"
)

// The grid, in pixels. Characters are 0.6 of the font's size wide in every
// monospaced font that the picture names.
const (
	fontSize   = 12
	charWidth  = 0.6 * fontSize
	lineHeight = 16
	margin     = 14
	minColumns = 80
)

const style = `text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace;fill:#c9d1d9;white-space:pre}
.p{fill:#7ee787}.h{fill:#fff;font-weight:600}`

// draw returns the picture: a prompt with the title, then the lines. Lines that
// are not indented are headings. Empty lines at the end are left out.
func draw(title string, lines []string) []byte {
	for len(lines) > 0 && strings.TrimSpace(lines[len(lines)-1]) == "" {
		lines = lines[:len(lines)-1]
	}
	columns := max(minColumns, len(title)+2)
	for _, l := range lines {
		columns = max(columns, len([]rune(l)))
	}
	width := 2*margin + int(float64(columns)*charWidth+0.5)
	height := 2*margin + lineHeight*(len(lines)+2)
	var b bytes.Buffer
	fmt.Fprintf(&b, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-label="%s">`+"\n",
		width, height, width, height, html.EscapeString("terminal: "+title))
	fmt.Fprintf(&b, "<style>%s</style>\n<rect width=\"100%%\" height=\"100%%\" rx=\"8\" fill=\"#0d1117\"/>\n", style)
	y := margin + fontSize
	fmt.Fprintf(&b, `<text x="%d" y="%d"><tspan class="p">$</tspan> %s</text>`+"\n", margin, y, html.EscapeString(title))
	y += lineHeight
	for _, l := range lines {
		y += lineHeight
		if strings.TrimSpace(l) == "" {
			continue
		}
		class := ""
		if !strings.HasPrefix(l, " ") {
			class = ` class="h"`
		}
		fmt.Fprintf(&b, `<text%s x="%d" y="%d" xml:space="preserve">%s</text>`+"\n", class, margin, y, html.EscapeString(l))
	}
	b.WriteString("</svg>\n")
	return b.Bytes()
}
