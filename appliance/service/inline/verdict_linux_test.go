package inline

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"net/netip"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

const (
	request = "GET / HTTP/1.1\r\nHost: www.example.test\r\n\r\n"
	answer  = "HTTP/1.1 204 No Content\r\n\r\n"
)

// forward is a rule for frames that a bridge forwards.
func forward(rule string) string {
	return "table bridge ips {\nchain forward { type filter hook forward priority 0;\n" + rule + "\n}\n}\n"
}

// evil matches segments whose payload begins with EVIL, the header without options
// but timestamps.
const evil = "@th,256,32 0x4556494c "

// TestDropPattern: the device swallows what it does not like.
func TestDropPattern(t *testing.T) {
	t.Parallel()
	b := newLab(t)
	b.exact()
	b.bridge()
	b.rules(forward("ether type ip tcp dport 80 " + evil + "drop"))
	b.open(func(c *Config) { c.FailOpen = true })
	good := b.carry(b.Device, client4, origin4)
	b.exchange(good, request, answer)
	b.end(good, b.Device, Carried)

	bad := b.carry(b.Device, client4, origin4)
	io.WriteString(bad.client, "EVIL")
	if got, err := io.ReadAll(bad.client); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("client read %q, %v, want a reset", got, err)
	}
	if got, err := io.ReadAll(bad.origin); len(got) > 0 || !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("origin read %q, %v, want nothing and a reset", got, err)
	}
	b.end(bad, b.Device, TimedOut)
	if f := (*failure)(nil); !errors.As(bad.err, &f) || f.Reason() != reasonTimeout {
		t.Errorf("session failed with %v", bad.err)
	}
}

// TestSlowReader: an end that takes nothing for longer than the time-out is not
// taken for a device that swallows.
func TestSlowReader(t *testing.T) {
	t.Parallel()
	b := newLab(t)
	b.bridge()
	b.open(nil)
	s := b.carry(b.Device, client4, origin4)
	const size = 16 << 20 // more than all buffers on the way
	s.client.SetReadBuffer(64 << 10)
	go func() {
		io.Copy(s.origin, io.LimitReader(zeros{}, size))
		s.origin.CloseWrite()
	}()
	time.Sleep(6 * time.Second)
	s.client.CloseWrite()
	if n, err := io.Copy(io.Discard, s.client); n != size || err != nil {
		t.Errorf("client read %d octets, %v", n, err)
	}
	b.end(s, b.Device, Carried)
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

// TestDropSYN: the device lets no connection through.
func TestDropSYN(t *testing.T) {
	t.Parallel()
	b := newLab(t)
	b.bridge()
	b.rules(forward("ether type ip tcp flags syn / syn,ack drop"))
	for _, tt := range []struct {
		name string
		open bool
	}{{"open", true}, {"closed", false}} {
		t.Run(tt.name, func(t *testing.T) {
			b := *b
			b.t = t
			b.open(func(c *Config) { c.Timeout, c.FailOpen = 500*time.Millisecond, tt.open })
			s := b.carry(b.Device, client4, origin4)
			if tt.open {
				b.exchange(s, request, answer)
				b.end(s, b.Device, Bypassed)
				return
			}
			if got, err := io.ReadAll(s.client); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("client read %q, %v, want a reset", got, err)
			}
			b.end(s, b.Device, Refused)
			if f := (*failure)(nil); !errors.As(s.err, &f) || f.Reason() != reasonFailed {
				t.Errorf("session failed with %v", s.err)
			}
		})
	}
}

// TestReject: what the device answers with RST is reset, whatever is configured
// for its failure.
func TestReject(t *testing.T) {
	t.Parallel()
	b := newLab(t)
	m := b.middlebox()
	b.open(func(c *Config) { c.FailOpen = true })
	for _, tt := range []struct {
		name           string
		client, origin netip.AddrPort
		rejects        func(segment) bool
		both           bool // sides
	}{
		{"SYN, IPv4", client4, origin4, segment.syn, false},
		{"SYN, IPv6", client6, origin6, segment.syn, false},
		{"pattern, IPv4", client4, origin4, isEvil, false},
		{"pattern, IPv6", client6, origin6, isEvil, false},
		{"pattern, both sides", client4, origin4, isEvil, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := *b
			b.t = t
			m.set(func(_ int, frame []byte) (on, back [][]byte) {
				s, ok := dissect(frame)
				if !ok || !tt.rejects(s) {
					return [][]byte{frame}, nil
				}
				if tt.both {
					s.tcp[13] = rst | 0x10
					s.sum()
					on = [][]byte{frame}
				}
				return on, [][]byte{s.reply(rst)}
			})
			s := b.carry(b.Device, tt.client, tt.origin)
			io.WriteString(s.client, "EVIL")
			if got, err := io.ReadAll(s.client); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("client read %q, %v, want a reset", got, err)
			}
			if got, err := io.ReadAll(s.origin); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("origin read %q, %v, want a reset", got, err)
			}
			b.end(s, b.Device, Reset)
			if f := (*failure)(nil); !errors.As(s.err, &f) || f.Reason() != reasonReset {
				t.Errorf("session failed with %v", s.err)
			}
		})
	}
}

func isEvil(s segment) bool { return bytes.HasPrefix(s.payload, []byte("EVIL")) }

// TestBlockPage: the device answers in the origin's place, ends the client's side
// and resets the origin's.
func TestBlockPage(t *testing.T) {
	t.Parallel()
	b := newLab(t)
	m := b.middlebox()
	b.open(nil)
	const page = "blocked!"
	m.set(func(_ int, frame []byte) (on, back [][]byte) {
		s, ok := dissect(frame)
		if !ok || !isEvil(s) || len(s.payload) != len(page) {
			return [][]byte{frame}, nil
		}
		// The page is as long as the request: its frame, turned round, carries it.
		answer := bytes.Clone(frame)
		r, _ := dissect(answer)
		copy(answer[0:], frame[6:12])
		copy(answer[6:], frame[0:6])
		copy(r.ip[12:], s.ip[16:20])
		copy(r.ip[16:], s.ip[12:16])
		copy(r.tcp[0:], s.tcp[2:4])
		copy(r.tcp[2:], s.tcp[0:2])
		copy(r.tcp[4:], s.tcp[8:12])
		binary.BigEndian.PutUint32(r.tcp[8:], binary.BigEndian.Uint32(s.tcp[4:])+uint32(len(page)))
		for i := 20; i < int(r.tcp[12]>>4*4); i++ {
			r.tcp[i] = 1 // no options
		}
		copy(r.payload, page)
		r.tcp[13] = 0x19 // FIN, PSH, ACK
		r.sum()
		s.tcp[13] = rst | 0x10
		copy(s.payload, page) // of a RST nobody reads it
		s.sum()
		return [][]byte{frame}, [][]byte{answer}
	})
	s := b.carry(b.Device, client4, origin4)
	io.WriteString(s.client, "EVIL....")
	if got, err := io.ReadAll(s.client); string(got) != page || err != nil {
		t.Errorf("client read %q, %v, want the page and an orderly end", got, err)
	}
	s.client.Close()
	if got, err := io.ReadAll(s.origin); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("origin read %q, %v, want a reset", got, err)
	}
	b.end(s, b.Device, Reset)
	if s.err != nil {
		t.Errorf("session failed with %v, though all that the device had for the client arrived", s.err)
	}
}

// TestRewrite: what the device changes arrives changed.
func TestRewrite(t *testing.T) {
	b := newLab(t)
	m := b.middlebox()
	b.open(nil)
	m.set(func(_ int, frame []byte) (on, back [][]byte) {
		if s, ok := dissect(frame); ok && len(s.payload) > 0 {
			copy(s.payload, bytes.ReplaceAll(s.payload, []byte("secret"), []byte("******")))
			s.sum()
		}
		return [][]byte{frame}, nil
	})
	for _, addrs := range [][2]netip.AddrPort{{client4, origin4}, {client6, origin6}} {
		s := b.carry(b.Device, addrs[0], addrs[1])
		io.WriteString(s.client, "a secret")
		s.client.CloseWrite()
		if got, err := io.ReadAll(s.origin); string(got) != "a ******" || err != nil {
			t.Errorf("origin read %q, %v", got, err)
		}
		io.WriteString(s.origin, "no secret")
		s.origin.CloseWrite()
		if got, err := io.ReadAll(s.client); string(got) != "no ******" || err != nil {
			t.Errorf("client read %q, %v", got, err)
		}
		b.end(s, b.Device, Carried)
	}
}

// TestLegReset: the reset of a leg comes through the device.
func TestLegReset(t *testing.T) {
	b := newLab(t)
	m := b.middlebox()
	b.open(nil)
	for i, who := range []string{"client", "origin"} {
		t.Run(who, func(t *testing.T) {
			b := *b
			b.t = t
			var seen atomic.Bool
			m.set(func(from int, frame []byte) (on, back [][]byte) {
				if s, ok := dissect(frame); ok && from == i && s.tcp[13]&rst != 0 {
					seen.Store(true)
				}
				return [][]byte{frame}, nil
			})
			s := b.carry(b.Device, client4, origin4)
			one, other := s.client, s.origin
			if who == "origin" {
				one, other = other, one
			}
			io.WriteString(one, "hello")
			io.ReadFull(other, make([]byte, 5))
			one.SetLinger(0)
			one.Close()
			if got, err := io.ReadAll(other); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("read %q, %v, want a reset", got, err)
			}
			b.end(s, b.Device, Broken)
			b.await("the device sees the reset", seen.Load)
		})
	}
}

// TestEndSwallowed: the device loses the end of a direction, and nothing else is on
// its way that could show it.
func TestEndSwallowed(t *testing.T) {
	t.Parallel()
	b := newLab(t)
	m := b.middlebox()
	b.open(func(c *Config) { c.Timeout = 2 * time.Second })
	s := b.carry(b.Device, client4, origin4)
	s.client.CloseWrite()
	if _, err := io.ReadAll(s.origin); err != nil {
		t.Fatal(err)
	}
	m.set(func(int, []byte) (on, back [][]byte) { return nil, nil })
	s.origin.CloseWrite()
	if got, err := io.ReadAll(s.client); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("client read %q, %v, want a reset", got, err)
	}
	b.end(s, b.Device, TimedOut)
}

// TestHalfClosed: each direction ends by itself.
func TestHalfClosed(t *testing.T) {
	b := newLab(t)
	b.bridge()
	b.open(nil)
	s := b.carry(b.Device, client4, origin4)
	s.origin.CloseWrite()
	if got, err := io.ReadAll(s.client); len(got) > 0 || err != nil {
		t.Errorf("client read %q, %v, want the end", got, err)
	}
	io.WriteString(s.client, "still here")
	s.client.CloseWrite()
	if got, err := io.ReadAll(s.origin); string(got) != "still here" || err != nil {
		t.Errorf("origin read %q, %v", got, err)
	}
	b.end(s, b.Device, Carried)
}
