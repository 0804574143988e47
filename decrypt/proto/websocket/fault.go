package websocket

// Fault tells which rule a frame breaks. The zero value is [Sound].
type Fault uint8

const (
	Sound Fault = iota
	// ReservedBits are set, which only an extension may use (Section 5.2).
	ReservedBits
	// BadOpcode is one that the RFC reserves.
	BadOpcode
	// BadMask is a frame of a client without a mask, or of a server with one
	// (Section 5.1).
	BadMask
	// BadLength is a length that is not in its shortest form, or above 2^63-1.
	BadLength
	// BadControl is a control frame that is fragmented, or longer than [MaxControl]
	// (Section 5.5).
	BadControl
	// BadOrder is a continuation without a beginning, or a beginning within a message
	// (Section 5.4).
	BadOrder
	// BadClose is the payload of a Close frame that is malformed, or whose code may not
	// be sent (Sections 5.5.1 and 7.4).
	BadClose
)

var faults = [...]string{
	"sound", "reserved bits", "reserved opcode", "wrong mask", "wrong length", "long or fragmented control frame",
	"message out of order", "wrong close",
}

// String returns the fault in words.
func (f Fault) String() string {
	if int(f) < len(faults) {
		return faults[f]
	}
	return "unknown"
}
