package intake

// Down is what becomes of selected connections while nobody is there to take them.
type Down string

const (
	DownWire  Down = "wire"  // they pass; of a wire only
	DownPass  Down = "pass"  // they are routed past; of routed traffic only
	DownBlock Down = "block" // their frames are dropped
)

// Strays is what becomes of packets of connections that an intake does not have.
type Strays string

const (
	PassStrays  Strays = "pass"
	ResetStrays Strays = "reset" // answered with a reset, if they come from clients
)

// QUIC is what becomes of QUIC, which is never decrypted.
type QUIC string

const (
	BlockQUIC QUIC = "block" // answered with ICMP, so that clients turn to TCP at once
	PassQUIC  QUIC = "pass"  // unless the policy terminates it
)
