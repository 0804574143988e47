package inspect

import "bytes"

// delimiters are what stands between the columns of a table.
const delimiters = ",\t;|"

// tabs is the place of the tab among them.
const tabs = 1

// counts has how many delimiters of each kind there are.
type counts [len(delimiters)]int

// row is the line that was looked at last. Each search goes through the text once from its
// beginning to its end, so a line is read once by each, and not once for each of its cells.
type row struct {
	span
	known bool
	begin int    // of the whole line, if this is a piece of a long one
	all   counts // in the whole line
	at    int    // how far delimiters are counted
	count counts // in front of at
}

// line returns the line in which s begins. One of more than maxLine octets counts as several
// of that length.
func (r *reading) line(s span) span {
	l := &r.row
	if l.known && l.from <= s.from && (s.from < l.to || s.from == l.to && !r.cut(l.to)) {
		return l.span
	}
	begin := r.begin(s.from)
	from := begin + (s.from-begin)/maxLine*maxLine
	to := min(from+maxLine, len(r.text))
	if i := bytes.IndexByte(r.text[s.from:to], '\n'); i >= 0 {
		to = s.from + i
	}
	*l = row{span: span{from, to}, known: true, begin: begin, at: from}
	for kind := range delimiters {
		l.all[kind] = bytes.Count(r.text[from:to], []byte{delimiters[kind]})
	}
	return l.span
}

// begin returns where the line of an octet begins. What is known of the last line saves most
// of the way back.
func (r *reading) begin(at int) int {
	low, begin := 0, 0
	if l := &r.row; l.known && l.begin <= at {
		low, begin = min(l.to, at), l.begin
	}
	if i := bytes.LastIndexByte(r.text[low:at], '\n'); i >= 0 {
		return low + i + 1
	}
	return begin
}

// cut reports whether a line ends at an octet without an end of line.
func (r *reading) cut(at int) bool { return at < len(r.text) && r.text[at] != '\n' }

// columns counts the delimiters of each kind in front of s, in its line.
func (r *reading) columns(s span) (count counts, first int) {
	l := r.line(s)
	if s.from < r.row.at {
		r.row.at, r.row.count = l.from, counts{}
	}
	for _, c := range r.text[r.row.at:s.from] {
		if i := bytes.IndexByte([]byte(delimiters), c); i >= 0 {
			r.row.count[i]++
		}
	}
	r.row.at = s.from
	return r.row.count, l.from
}

// rows are what is known of tables: their headings, by class.
type rows struct {
	heads [classes][]head
	done  [classes]bool
	amid  [classes]int // words in rows that cannot be headings
}

// head is the heading of a column.
type head struct {
	line  int // where its line begins
	kind  int // of delimiter
	index int // of the column
	least int // delimiters of the line: one of less is no row of its table
}

// heads reports whether a line with these delimiters may belong to the table.
func (h *head) heads(all counts) bool { return all[h.kind] >= h.least }

const (
	maxHeads   = 100 // headings of a class
	maxAmid    = 1000
	firstRows  = 4096 // octets at the beginning of a text: there, any row may have headings
	rowsAbove  = 3    // with the same columns: behind them, a row is one of data
	headBlanks = 3    // in a cell of a row of headings: one of more is a sentence
)

// headed reports whether a word of a class is the heading of the column in which s is.
func (r *reading) headed(c class, s span) bool {
	if !r.rows.done[c] {
		r.rows.done[c] = true
		for _, w := range r.near[c] {
			r.heading(c, w)
		}
	}
	if len(r.rows.heads[c]) == 0 {
		return false
	}
	count, line := r.columns(s)
	for _, h := range r.rows.heads[c] {
		if h.line < line && count[h.kind] == h.index && h.heads(r.row.all) {
			return true
		}
	}
	return false
}

// heading notes a word that is the heading of a column. Of columns with one number, the first
// heading is enough.
func (r *reading) heading(c class, w span) {
	count, line := r.columns(w)
	for kind, index := range count {
		h := head{line, kind, index, r.row.all[kind]}
		if delimiters[kind] != '\t' && r.row.all[tabs] > 0 {
			continue // signs within the cells of another table
		}
		if h.least == 0 || r.rows.amid[c] == maxAmid || len(r.rows.heads[c]) == maxHeads || r.rows.heading(c, h) {
			continue
		}
		if r.amid(line, delimiters[kind], h.least) {
			r.rows.amid[c]++
			continue
		}
		if r.headings(r.row.span, delimiters[kind]) {
			r.rows.heads[c] = append(r.rows.heads[c], h)
		}
	}
}

// amid reports whether the row that begins at an octet is amid a table: there are rows with the
// same columns above it.
func (r *reading) amid(line int, delimiter byte, columns int) bool {
	if line < firstRows {
		return false
	}
	above := r.text[line-firstRows : line-1]
	for range rowsAbove {
		i := bytes.LastIndexByte(above, '\n')
		if i < 0 || bytes.Count(above[i+1:], []byte{delimiter}) != columns {
			return false
		}
		above = above[:i]
	}
	return true
}

// heading reports whether there is one for all rows of another.
func (r *rows) heading(c class, other head) bool {
	for _, h := range r.heads[c] {
		if h.kind == other.kind && h.index == other.index && h.least <= other.least {
			return true
		}
	}
	return false
}

// headings reports whether a line can be a row of headings: no cell is a sentence.
func (r *reading) headings(l span, delimiter byte) bool {
	blanks := 0
	for _, c := range bytes.TrimSpace(r.text[l.from:l.to]) {
		switch c {
		case delimiter:
			blanks = 0
		case ' ':
			if blanks++; blanks > headBlanks {
				return false
			}
		}
	}
	return true
}
