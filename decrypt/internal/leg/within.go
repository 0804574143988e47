package leg

import "crypto/tls"

// Within is the connection of a leg within the TLS connection over another leg.
type Within struct {
	*tls.Conn
	under *Leg
}

// NewWithin returns a leg within conn, which is over the leg under and has read the octets
// in rest already. It has both from now on, and closes them.
func NewWithin(conn *tls.Conn, under *Leg, rest []byte) *Leg {
	l := New(&Within{conn, under})
	if len(rest) > 0 {
		l.Return(rest)
	}
	return l
}

// CloseWrite sends close_notify and a FIN.
func (w *Within) CloseWrite() error {
	w.Conn.CloseWrite() // a leg that is gone shows next
	return w.under.CloseWrite()
}

// Close implements net.Conn. What the kernel has taken is delivered.
func (w *Within) Close() error {
	err := w.Conn.Close()
	w.under.Finish()
	return err
}

// Depth is how many TLS connections the leg is within; 0 of no leg.
func (l *Leg) Depth() int {
	if l == nil {
		return 0
	}
	if w, ok := l.conn.(*Within); ok {
		return w.under.Depth() + 1
	}
	return 0
}
