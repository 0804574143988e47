package mirror

// Overflow is what a sink does with frames for which it has no room. The zero value is
// the default of the sink.
type Overflow string

// The ways of a sink without room.
const (
	Drop  Overflow = "drop"  // lose the rest of the frames with [ErrFull]
	Block Overflow = "block" // wait, as long as the package of the sink says
)

// Valid reports whether o is one of the above, or zero.
func (o Overflow) Valid() bool { return o == "" || o == Drop || o == Block }
