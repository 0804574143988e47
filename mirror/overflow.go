package mirror

import (
	"fmt"
	"slices"
)

// Overflow is what a sink does with frames for which it has no room. The zero value is
// the default of the sink.
type Overflow uint8

// The ways of a sink without room.
const (
	Drop  Overflow = iota + 1 // lose the rest of the frames with [ErrFull]
	Block                     // wait, as long as the package of the sink says
)

var overflows = []string{"", "drop", "block"}

// Valid reports whether o is one of the above, or zero.
func (o Overflow) Valid() bool { return int(o) < len(overflows) }

// String returns the word of configurations.
func (o Overflow) String() string {
	if !o.Valid() {
		return fmt.Sprintf("overflow(%d)", uint8(o))
	}
	return overflows[o]
}

// MarshalText implements [encoding.TextMarshaler].
func (o Overflow) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (o *Overflow) UnmarshalText(text []byte) error {
	i := slices.Index(overflows, string(text))
	if i < int(Drop) {
		return fmt.Errorf("unknown value %q, want drop or block", text)
	}
	*o = Overflow(i)
	return nil
}
