package object

import (
	"bytes"
	"strings"

	"github.com/clearspan/clearspan/appliance/object/name"
)

// uuFiles finds files within the text of a mail message that were written there by uuencode
// (POSIX.1-2017, uuencode): behind a line `begin MODE NAME` up to a line `end`.
type uuFiles struct {
	r      *reading
	parent int
	at     place
	number int
	line   []byte // up to now; bounded
	long   bool   // the line has more
	file   Writer // nil: none is open
	out    []byte
	only   stage  // takes the only file, which is no object of its own; nil: files are objects
	how    Ending // of that file
}

// maxUULine bounds the lines that are looked at. A full line has 61 octets, and names
// may be long.
const maxUULine = 1024

func newUU(r *reading, parent int, at place) *uuFiles {
	return &uuFiles{r: r, parent: parent, at: at}
}

func (e *uuFiles) write(p []byte) {
	for len(p) > 0 {
		end := bytes.IndexByte(p, '\n')
		if end < 0 {
			e.keep(p)
			return
		}
		line := p[:end]
		if len(e.line) > 0 || e.long {
			e.keep(line)
			line = e.line
		}
		if !e.long && len(line) <= maxUULine {
			e.read(bytes.TrimRight(line, "\r"))
		} else if e.file != nil {
			e.end(Broken)
		}
		e.line, e.long = e.line[:0], false
		p = p[end+1:]
	}
}

// keep keeps the beginning of a line.
func (e *uuFiles) keep(p []byte) {
	if len(e.line)+len(p) > maxUULine {
		e.long = true
		return
	}
	e.line = append(e.line, p...)
}

// read reads a line.
func (e *uuFiles) read(line []byte) {
	switch {
	case e.file == nil:
		e.begin(line)
	case string(line) == "end":
		e.end(Complete)
	case len(line) == 0: // some senders have one in front of the end
	default:
		if e.out = uudecode(e.out[:0], line); len(e.out) > 0 {
			e.file.Write(e.out)
		} else if line[0] != '`' && line[0] != ' ' {
			e.end(Broken)
		}
	}
}

// begin begins a file, if the line says so.
func (e *uuFiles) begin(line []byte) {
	rest, ok := bytes.CutPrefix(line, []byte("begin "))
	if !ok {
		return
	}
	mode, file, ok := strings.Cut(string(rest), " ")
	if !ok || len(mode) < 3 || len(mode) > 4 || strings.Trim(mode, "01234567") != "" {
		return
	}
	e.number++
	if e.only != nil {
		if e.number == 1 {
			e.file = within{e}
		}
		return
	}
	e.r.objects++
	d := &Description{Number: e.r.objects, Parent: e.parent, Part: e.at.below(e.parent, e.number).path, Attached: true, RawName: file, From: FromDisposition}
	d.Name = name.Base(name.Text(file))
	e.file = e.r.sink.Begin(d)
	if e.file == nil {
		e.file = nowhere{}
	}
}

// nowhere takes what nobody wants.
type nowhere struct{}

func (nowhere) Write([]byte) {}
func (nowhere) Hole(uint64)  {}
func (nowhere) Close(Ending) {}

func (e *uuFiles) end(how Ending) {
	e.file.Close(how)
	e.file = nil
}

// uudecode appends the octets of a line: the first character is their number.
func uudecode(out, line []byte) []byte {
	n := int(line[0]-' ') & 63
	if line[0] < ' ' || line[0] > '`' || n == 0 || (n+2)/3*4 > len(line)+2 { // blanks at the end are often lost
		return out
	}
	at := func(i int) byte {
		if i < len(line) {
			return (line[i] - ' ') & 63
		}
		return 0
	}
	for i := 1; n > 0; i += 4 {
		a, b, c, d := at(i), at(i+1), at(i+2), at(i+3)
		group := [3]byte{a<<2 | b>>4, b<<4 | c>>2, c<<6 | d}
		out = append(out, group[:min(n, 3)]...)
		n -= 3
	}
	return out
}

func (e *uuFiles) hole(n uint64) {
	e.long = true // the line is not whole
	if e.file != nil {
		e.file.Hole(n / 62 * 45)
	}
}

func (e *uuFiles) close(how Ending) {
	if len(e.line) > 0 && !e.long {
		e.read(bytes.TrimRight(e.line, "\r"))
	}
	if e.file != nil {
		e.end(max(how, Cut))
	}
}

// uuStage takes off uuencode as a transfer encoding: everything up to a line that begins
// with "begin " is passed over, and what is behind the line "end".
type uuStage struct {
	uuFiles
}

// newUUStage returns the stage in front of another one.
func newUUStage(next stage) *uuStage {
	u := &uuStage{}
	u.only = next
	return u
}

func (u *uuStage) close(how Ending) {
	if u.file == nil && u.number == 0 {
		how = max(how, Broken)
	}
	u.uuFiles.close(how)
	u.only.close(max(how, u.how))
}

// within is the writer of the file that is in a transfer encoding.
type within struct{ u *uuFiles }

func (w within) Write(p []byte) { w.u.only.write(p) }
func (w within) Hole(n uint64)  { w.u.only.hole(n) }
func (w within) Close(e Ending) { w.u.how = e }
