package role

import (
	"errors"
	"net"
	"testing"
	"time"
)

// telling is a listener that tells of each connection that it has accepted.
type telling struct {
	net.Listener
	accepted chan struct{}
}

func (l telling) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err == nil {
		l.accepted <- struct{}{}
	}
	return conn, err
}

func tell(t *testing.T) telling {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	return telling{l, make(chan struct{}, 8)}
}

// TestJoin takes connections of two listeners as those of one. What was accepted before the
// end is delivered, then nothing.
func TestJoin(t *testing.T) {
	last := tell(t)
	list := []net.Listener{tell(t), last}
	j := join(list)
	defer j.Close()
	if j.Addr() != list[0].Addr() {
		t.Errorf("address %v", j.Addr())
	}
	dial := func(l net.Listener) net.Conn {
		t.Helper()
		conn, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		return conn
	}
	for _, l := range list {
		dial(l)
		conn, err := j.Accept()
		if err != nil || conn.LocalAddr().String() != l.Addr().String() {
			t.Fatalf("accepted %v", err)
		}
		conn.Close()
	}
	<-last.accepted
	late := dial(last)
	<-last.accepted
	accepted := make(chan error, 1)
	j.Close()
	go func() {
		conn, err := j.Accept()
		if err == nil {
			conn.Write([]byte("x"))
			conn.Close()
		}
		accepted <- err
	}()
	if err := <-accepted; err != nil {
		t.Errorf("a connection from before the end: %v", err)
	}
	late.SetDeadline(time.Now().Add(time.Minute))
	if n, err := late.Read(make([]byte, 1)); n != 1 {
		t.Errorf("read %v", err)
	}
	if _, err := j.Accept(); !errors.Is(err, net.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}

// TestJoinNeverAccepted: what nobody takes is closed, and nothing is left running.
func TestJoinNeverAccepted(t *testing.T) {
	l := tell(t)
	j := join([]net.Listener{l})
	conn, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	<-l.accepted
	j.Close()
	<-j.ended
	conn.SetDeadline(time.Now().Add(time.Minute))
	if n, err := conn.Read(make([]byte, 1)); n != 0 || err == nil {
		t.Errorf("read %d octets, %v", n, err)
	}
}
