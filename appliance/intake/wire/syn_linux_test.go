package wire_test

import (
	"encoding/binary"
	"errors"
	"io"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/hack/netlab"
)

// sent returns the next frame that the end itself sends and that satisfies want.
func (p *tap) sent(want func(frame []byte) bool, wait time.Duration) []byte {
	buf := make([]byte, 65536)
	for deadline := time.Now().Add(wait); time.Now().Before(deadline); {
		poll := []unix.PollFd{{Fd: int32(p.fd), Events: unix.POLLIN}}
		if n, _ := unix.Poll(poll, 10); n <= 0 { // nothing, or a signal came
			continue
		}
		n, from, err := unix.Recvfrom(p.fd, buf, unix.MSG_DONTWAIT)
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return nil
		}
		if a, ok := from.(*unix.SockaddrLinklayer); ok && a.Pkttype == unix.PACKET_OUTGOING && want(buf[:n]) {
			return append([]byte(nil), buf[:n]...)
		}
	}
	return nil
}

// isSYN recognises a SYN over IPv4, without tag.
func isSYN(frame []byte) bool {
	return len(frame) >= 54 && binary.BigEndian.Uint16(frame[12:]) == 0x0800 && frame[23] == unix.IPPROTO_TCP && frame[47]&0x12 == 0x02
}

// A SYN that comes again once the handshake is over, late or sent twice, changes
// nothing: the connection is taken with what was learned from the first.
func TestRepeatedSYN(t *testing.T) {
	t.Parallel()
	b := newBench(t)
	b.echo("tcp", ":443")
	if err := b.Client.SetOffload("eth0", false, netlab.TXChecksum, netlab.TSO, netlab.GSO); err != nil {
		t.Fatal(err)
	}
	p := b.start(settings{})
	b.await(true)
	repeated := openTap(t, b.Client)
	for i, tt := range []struct {
		name  string
		first string // sent before the SYN comes again
		rest  string
	}{
		{"before any payload", "", "hello\n"},
		{"while payload is held", "MORE ", "of it\n"},
		{"of a connection that is taken", "hello ", "again\n"},
	} {
		conn, err := b.Client.Dial("tcp", echoV4)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		syn := repeated.sent(isSYN, 2*time.Second)
		if syn == nil {
			t.Fatal("no SYN seen")
		}
		if _, err := io.WriteString(conn, tt.first); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
		if err := repeated.send(syn); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Millisecond)
		got, err := line(conn, tt.rest)
		if err != nil || got != tt.first+tt.rest {
			t.Errorf("%s: %q, %v", tt.name, got, err)
		}
		p.expect(i + 1)
	}
	p.stop()
}
