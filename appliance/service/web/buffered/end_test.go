package buffered

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/clearspan/clearspan/decrypt"
)

// source is an end that gives octets, waits for nobody, and keeps what it is told.
type source struct {
	io.Reader
	decrypt.End
	told   bytes.Buffer
	closed bool
}

func (s *source) Read(p []byte) (int, error)  { return s.Reader.Read(p) }
func (s *source) Write(p []byte) (int, error) { return s.told.Write(p) }
func (s *source) CloseWrite() error           { s.closed = true; return nil }
func (s *source) Await() error                { return nil }

func octets(n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte(i >> 3)
	}
	return p
}

// TestParts reads parts of 3,000 octets, of which several stand in a buffer and the
// last one in it is not whole. No part may be torn, whatever reads give.
func TestParts(t *testing.T) {
	const part = 3000
	want := octets(200 * part)
	for name, r := range map[string]io.Reader{
		"much":  bytes.NewReader(want),
		"half":  iotest.HalfReader(bytes.NewReader(want)),
		"early": iotest.DataErrReader(bytes.NewReader(want)),
	} {
		t.Run(name, func(t *testing.T) {
			e := New(&source{Reader: r})
			var got []byte
			for {
				if len(e.Unread()) >= part {
					at := e.Position()
					e.Consume(part)
					got = append(got, e.Since(at)...)
					continue
				}
				if err := e.Fill(); err == io.EOF {
					break
				} else if err != nil {
					t.Fatal(err)
				}
			}
			if !bytes.Equal(got, want) || len(e.Unread()) > 0 {
				t.Errorf("%d octets, %d left", len(got), len(e.Unread()))
			}
		})
	}
}

func TestFullBuffer(t *testing.T) {
	e := New(&source{Reader: bytes.NewReader(octets(2 * Large))})
	var err error
	for err == nil {
		err = e.Fill()
	}
	if err != io.ErrShortBuffer || len(e.Unread()) != Large {
		t.Fatalf("%d octets are unread: %v", len(e.Unread()), err)
	}
	e.Consume(1)
	if err := e.Fill(); err != nil || len(e.Unread()) != Large {
		t.Errorf("%d octets are unread behind the first: %v", len(e.Unread()), err)
	}
	e.Consume(Large)
	if err := e.Await(); err != nil || e.buf != nil {
		t.Errorf("an idle end holds %d octets: %v", len(e.buf), err)
	}
}

func TestRelay(t *testing.T) {
	want := octets(3*Large + 5)
	to := new(source)
	if err := Relay(New(to), New(&source{Reader: bytes.NewReader(want)})); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(to.told.Bytes(), want) || !to.closed {
		t.Errorf("%d octets, closed %v", to.told.Len(), to.closed)
	}
	broken := errors.New("broken")
	if err := Relay(New(new(source)), New(&source{Reader: iotest.ErrReader(broken)})); err != broken {
		t.Errorf("relay ends with %v", err)
	}
}
