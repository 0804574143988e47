package intake

import "net/netip"

// QUICVerdict is what becomes of a flow of QUIC that an intake lets pass. An intake
// that refuses QUIC refuses it whatever the verdict is.
type QUICVerdict uint8

const (
	QUICUndecided QUICVerdict = iota // the flow passes for now
	QUICPass                         // the flow passes
	QUICRefuse                       // further datagrams of the flow are refused
)

// QUICFunc is told about datagrams with a long header of QUIC (RFC 8999, Section
// 5.1): a copy of each, up to a bound on their rate. It borrows payload, which is
// that of the UDP datagram, at most 2,000 octets or so of it. Each intake calls it
// from one goroutine; several intakes call it concurrently.
type QUICFunc = func(client, origin netip.AddrPort, payload []byte) QUICVerdict
