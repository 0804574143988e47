package intake

// QUICVerdict is what an intake does with a datagram of QUIC, of which
// [Options.QUIC] was given a copy: every datagram from a client that begins with a long
// header. Without a verdict the datagrams of a flow wait; a later verdict is theirs,
// too. Refuse stands for the flow, from then on.
//
// The function borrows payload, which is that of UDP. It is called concurrently and
// does not block.
type QUICVerdict uint8

const (
	QUICUndecided QUICVerdict = iota // more datagrams are needed to tell
	QUICPass
	QUICRefuse
)
