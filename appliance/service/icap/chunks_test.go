package icap

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/iotest"
)

// chunkOf returns a chunk of size octets.
func chunkOf(size int) []byte {
	return fmt.Appendf(nil, "%x\r\n%s\r\n", size, strings.Repeat("x", size))
}

// TestChunksAtHand has a body come in pieces: a read gives what came of it, of all
// chunks, and waits for nothing more.
func TestChunksAtHand(t *testing.T) {
	for _, tt := range []struct {
		name  string
		piece string
		read  string
		ready bool // for more
		err   error
	}{
		{"one chunk", "3\r\nabc\r\n", "abc", false, nil},
		{"many chunks", "3\r\nabc\r\n2\r\nde\r\n1\r\nf\r\n", "abcdef", false, nil},
		{"a part of a chunk", "3\r\nabc\r\n4\r\nde", "abcde", false, nil},
		{"a part of a size", "3\r\nabc\r\n4", "abc", false, nil},
		{"a part of a line end", "3\r\nabc\r", "abc", false, nil},
		{"a part of a size line", "3\r\nabc\r\n4;e=f\r", "abc", false, nil},
		{"a chunk with an extension", "3\r\nabc\r\n2;e=f\r\nde", "abcde", false, nil},
		{"the end", "3\r\nabc\r\n0\r\n\r\n", "abc", true, io.EOF},
		{"an end that may have trailers", "3\r\nabc\r\n0\r\n", "abc", false, nil},
		{"an end with trailers", "3\r\nabc\r\n0\r\na: b\r\n", "abc", false, nil},
		{"a size with a leading zero", "3\r\nabc\r\n02\r\nde", "abc", false, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r, w := io.Pipe()
			defer r.Close()
			go io.WriteString(w, tt.piece)
			c := newChunks(bufio.NewReader(r))
			p := make([]byte, 64)
			n, err := c.Read(p)
			if string(p[:n]) != tt.read || err != tt.err || c.ready() != tt.ready {
				t.Errorf("Read = %q, %v, then ready %v; want %q, %v, %v", p[:n], err, c.ready(), tt.read, tt.err, tt.ready)
			}
		})
	}
}

// A server that is killed breaks a protocol, however its end is seen: within an
// answer an end of the connection, a reset and a closed pipe are the same.
func TestEndWithinAnswer(t *testing.T) {
	whole := "ICAP/1.0 200 OK\r\nISTag: \"t\"\r\n\r\n3\r\nabc\r\n0\r\nTrailer: t\r\n\r\n"
	for _, end := range []error{io.EOF, syscall.ECONNRESET, syscall.EPIPE} {
		end = &net.OpError{Op: "read", Err: os.NewSyscallError("read", end)}
		if errors.Is(end, io.EOF) {
			end = io.EOF
		}
		for n := range len(whole) {
			br := bufio.NewReader(io.MultiReader(strings.NewReader(whole[:n]), iotest.ErrReader(end)))
			_, err := readAnswer(br)
			if n == 0 {
				if !gone(err) {
					t.Errorf("%v before an answer: %v", end, err)
				}
				continue
			}
			if err == nil {
				_, err = io.ReadAll(newChunks(br))
			}
			if err != io.ErrUnexpectedEOF {
				t.Errorf("%v after %d octets: %v", end, n, err)
			}
		}
	}
}

// repeated gives the same octets again and again, as much as is wanted at a time.
type repeated struct {
	p  []byte
	at int
}

func (r *repeated) Read(p []byte) (n int, _ error) {
	for n < len(p) {
		m := copy(p[n:], r.p[r.at:])
		n += m
		r.at = (r.at + m) % len(r.p)
	}
	return n, nil
}

// TestChunksAllocateNothing holds the promise of Read, and that small chunks are
// given together.
func TestChunksAllocateNothing(t *testing.T) {
	c := newChunks(bufio.NewReaderSize(&repeated{p: chunkOf(4086)}, readBuffer))
	p := make([]byte, 64<<10)
	reads, octets := 0, 0
	if n := testing.AllocsPerRun(100, func() {
		n, err := c.Read(p)
		if err != nil {
			t.Fatal(err)
		}
		reads++
		octets += n
	}); n != 0 {
		t.Errorf("reading chunks allocates %v times", n)
	}
	if octets/reads < 32<<10 {
		t.Errorf("chunks of 4086 octets are read %d octets at a time", octets/reads)
	}
}

// BenchmarkChunks reads chunks of the size that c-icap writes.
func BenchmarkChunks(b *testing.B) {
	c := newChunks(bufio.NewReaderSize(&repeated{p: chunkOf(4086)}, readBuffer))
	p := make([]byte, 64<<10)
	b.SetBytes(int64(len(p)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := io.ReadFull(c, p); err != nil {
			b.Fatal(err)
		}
	}
}
