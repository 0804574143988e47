package request

// passage collects what goes on of p. As long as that is how p begins, nothing is copied.
type passage struct {
	p      []byte
	kept   int    // octets that p begins with
	buf    []byte // what goes on in their place, if copied
	copied bool
}

// reset begins with p, and forgets what was collected before.
func (g *passage) reset(p []byte) {
	g.p, g.kept, g.buf, g.copied = p, 0, g.buf[:0], false
	if cap(g.buf) > spare {
		g.buf = nil
	}
}

// spare is how much memory is kept between calls, in octets.
const spare = 16 << 10

// keep lets p[from:to] go on.
func (g *passage) keep(from, to int) {
	if !g.copied && from == g.kept {
		g.kept = to
		return
	}
	g.put(g.p[from:to])
}

// put lets octets go on that are no part of p, or not in their place.
func (g *passage) put(b []byte) {
	if !g.copied {
		g.buf, g.copied = append(g.buf, g.p[:g.kept]...), true
	}
	g.buf = append(g.buf, b...)
}

// octets returns what goes on.
func (g *passage) octets() []byte {
	if g.copied {
		return g.buf
	}
	return g.p[:g.kept]
}
