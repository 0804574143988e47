package decrypt

import (
	"errors"
	"io"
	"os"
	"syscall"
	"testing"

	"github.com/clearspan/clearspan/decrypt/internal/relay"
)

// TestRelayFailure: a leg that breaks has the reason of the end that taps see.
func TestRelayFailure(t *testing.T) {
	for _, tt := range []struct {
		name    string
		swapped Direction
		err     error
		reason  string
	}{
		{"silent", 0, relay.ErrSilent, reasonNoFlight},
		{"idle", 0, relay.ErrIdle, reasonIdle},
		{"stalled", 0, &relay.Broken{Dir: ClientToOrigin, Err: os.ErrDeadlineExceeded}, reasonIdle},
		{"client", 0, &relay.Broken{Dir: ClientToOrigin, Err: syscall.ECONNRESET}, reasonClientReset},
		{"origin", 0, &relay.Broken{Dir: OriginToClient, Err: syscall.ECONNRESET}, reasonOriginReset},
		{"swapped", 1, &relay.Broken{Dir: OriginToClient, Err: syscall.ECONNRESET}, reasonClientReset},
		{"of another", 0, fail(reasonMismatch, nil, 0), reasonMismatch},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := &session{swapped: tt.swapped}
			var f *failure
			if err := s.relayFailure(tt.err); !errors.As(err, &f) || f.reason != tt.reason {
				t.Errorf("failure %v, want %s", err, tt.reason)
			}
		})
	}
	if err := new(session).relayFailure(io.ErrUnexpectedEOF); err != io.ErrUnexpectedEOF {
		t.Errorf("an error of another kind became %v", err)
	}
	if new(session).relayFailure(nil) != nil {
		t.Error("a failure without an error")
	}
}
