package object

import "bytes"

// boundaryFinder takes a message in parts whose field names no boundary. It takes the first
// line that begins with two hyphens for a delimiter, as mail programs do.
type boundaryFinder struct {
	open func(boundary string) stage
	none func() stage // if there is no such line
	held []byte
	next stage // nil: not known yet
}

// maxPreamble bounds what stands in front of the first delimiter.
const maxPreamble = 64 << 10

func (b *boundaryFinder) write(p []byte) {
	if b.next != nil {
		b.next.write(p)
		return
	}
	b.held = append(b.held, p...)
	b.look(false)
}

// look looks for a delimiter in what is held. Behind the end, a line needs no end.
func (b *boundaryFinder) look(end bool) {
	for line := range bytes.Lines(b.held) {
		if !end && !bytes.HasSuffix(line, []byte("\n")) {
			break
		}
		boundary, ok := bytes.CutPrefix(bytes.TrimRight(line, " \t\r\n"), []byte("--"))
		if ok && len(boundary) > 0 && len(boundary) <= maxBoundary {
			b.pass(b.open(string(boundary)))
			return
		}
	}
	if end || len(b.held) > maxPreamble {
		b.pass(b.none())
	}
}

// pass hands what is held to the stage that was found.
func (b *boundaryFinder) pass(next stage) {
	b.next = next
	b.next.write(b.held)
	b.held = nil
}

func (b *boundaryFinder) hole(n uint64) {
	if b.next == nil {
		b.look(true)
	}
	b.next.hole(n)
}

func (b *boundaryFinder) close(e Ending) {
	if b.next == nil {
		b.look(true)
	}
	b.next.close(e)
}
