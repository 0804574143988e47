package feedcheck

import (
	"fmt"
	"io"
	"os"
	"time"

	"golang.org/x/term"

	"github.com/clearspan/clearspan/mirror/conformance"
)

// progress says how far a long reading has come: on a terminal in place, every
// half second; elsewhere a line every ten seconds.
type progress struct {
	w        io.Writer // nil: says nothing
	terminal bool
	size     uint64 // of all; 0: not known
	octets   uint64
	next     time.Time
	said     bool
}

func newProgress(w io.Writer, size uint64) *progress {
	f, ok := w.(*os.File)
	p := &progress{w: w, terminal: ok && term.IsTerminal(int(f.Fd())), size: size}
	p.next = time.Now().Add(p.interval())
	return p
}

func (p *progress) interval() time.Duration {
	if p.terminal {
		return time.Second / 2
	}
	return 10 * time.Second
}

// show takes note of the octets read so far.
func (p *progress) show(octets uint64) {
	p.octets = octets
	if p.w == nil || time.Now().Before(p.next) {
		return
	}
	p.next = time.Now().Add(p.interval())
	line := "read " + conformance.Size(octets)
	if p.size >= octets {
		line += fmt.Sprintf(" of %s, %d %%", conformance.Size(p.size), octets*100/p.size)
	}
	p.said = true
	if p.terminal {
		fmt.Fprintf(p.w, "\r%s\x1b[K", line)
		return
	}
	fmt.Fprintln(p.w, line)
}

// done clears what stands on the terminal.
func (p *progress) done() {
	if p.said && p.terminal {
		fmt.Fprint(p.w, "\r\x1b[K")
	}
}
