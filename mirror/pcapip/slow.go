package pcapip

import (
	"fmt"
	"slices"
)

// Slow is what happens to a reader whose queue is full. The zero value is the default.
type Slow uint8

const (
	Skip       Slow = iota // it misses the rest of the frames of that Send
	Disconnect             // it is disconnected
)

var slows = []string{"skip", "disconnect"}

// String returns the word of configurations.
func (s Slow) String() string {
	if int(s) >= len(slows) {
		return fmt.Sprintf("slow(%d)", uint8(s))
	}
	return slows[s]
}

// MarshalText implements [encoding.TextMarshaler].
func (s Slow) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (s *Slow) UnmarshalText(text []byte) error {
	i := slices.Index(slows, string(text))
	if i < 0 {
		return fmt.Errorf("unknown value %q, want skip or disconnect", text)
	}
	*s = Slow(i)
	return nil
}
