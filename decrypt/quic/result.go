package quic

import (
	"net/netip"
	"time"

	"github.com/clearspan/clearspan/decrypt/clienthello"
)

// State tells how much of a connection's beginning was read.
type State uint8

const (
	// Whole: clearspan read the whole ClientHello.
	Whole State = iota
	// Malformed: packets or frames break the rules of QUIC, or contradict each other.
	Malformed
	// Incomplete: the ClientHello was not whole within 3 s.
	Incomplete
	// Excess: the ClientHello needs more than 16 KiB, 16 datagrams or 64 KiB of
	// datagrams, or the flow has more than 4 connections.
	Excess
	// Unsupported: the version of QUIC is neither 1 nor 2.
	Unsupported
)

var stateNames = [...]string{"whole", "malformed", "incomplete", "excess", "unsupported"}

// String returns the word used in audit entries.
func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

// Verdict is what to do with a datagram, and those that wait with it.
type Verdict uint8

const (
	Undecided Verdict = iota // wait for more of them
	Pass
	Refuse
)

// Result is what is known of a connection when it is judged.
type Result struct {
	Client, Origin netip.AddrPort
	Start          time.Time // of the flow's first datagram
	Version        uint32    // of QUIC, of the client's first packet; 0 if it was not read
	Datagrams      int       // of the flow, from the client, that were seen so far
	State          State
	Hello          *clienthello.Hello // nil unless State is Whole; not to be changed
}
