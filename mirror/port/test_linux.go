package port

import (
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/internal/link"
)

// testTimeout bounds how long a device may take to count the frame of a test.
const testTimeout = 500 * time.Millisecond

// testFrame is one that bridges do not forward and recorders do not take for
// traffic: to a reserved address (IEEE 802.1Q, Table 8-1), of the local
// experimental EtherType (RFC 9542, Section 2.2), as long as the shortest frame
// on a wire.
var testFrame = append([]byte{
	0x01, 0x80, 0xc2, 0x00, 0x00, 0x0f,
	0x0a, 0x63, 0x73, 0x00, 0x00, 0x00,
	0x88, 0xb5,
}, "clearspan mirror port, test of the method ...."...)

// errUntested is returned for an interface that is not up.
var errUntested = errors.New("interface is not up, not tested")

// test sends a frame through s and has the device say that it went out.
func test(name string, s Sink) error {
	w, err := link.Watch(name, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return fmt.Errorf("watch interface %s: %w", name, err)
	}
	defer w.Close()
	if w.Link().State != link.Up {
		return errUntested
	}
	before := w.Counters()
	if _, err := s.Send([]mirror.Frame{{Header: testFrame}}); err != nil {
		return fmt.Errorf("send test frame: %w", err)
	}
	for waited := time.Duration(0); ; waited += 5 * time.Millisecond {
		now, err := w.Read()
		switch {
		case err != nil:
			return fmt.Errorf("read counters of %s: %w", name, err)
		case now.Packets > before.Packets:
			return nil
		case now.Dropped > before.Dropped:
			return errors.New("device dropped the test frame")
		case waited >= testTimeout:
			return errors.New("device did not count the test frame")
		}
		time.Sleep(5 * time.Millisecond)
	}
}
