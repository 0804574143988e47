package decrypt

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// carryFunc is a Service.
type carryFunc func(ctx context.Context, s *Session, client, origin End) error

func (f carryFunc) Carry(ctx context.Context, s *Session, client, origin End) error {
	return f(ctx, s, client, origin)
}

// through copies both ways and changes what goes to the client.
func through(change func([]byte)) carryFunc {
	return func(_ context.Context, _ *Session, client, origin End) error {
		var wg sync.WaitGroup
		var errs [2]error
		move := func(err *error, to, from End, change func([]byte)) {
			p := make([]byte, 20_000)
			for {
				if a, ok := from.(interface{ Await() error }); ok {
					if *err = a.Await(); *err != nil {
						break
					}
				}
				n, rerr := from.Read(p)
				change(p[:n])
				if n > 0 {
					if _, *err = to.Write(p[:n]); *err != nil {
						break
					}
				}
				if rerr == io.EOF {
					*err = to.CloseWrite()
					return
				}
				if *err = rerr; rerr != nil {
					break
				}
			}
			client.Abort()
			origin.Abort()
		}
		start := func(err *error, to, from End, change func([]byte)) {
			wg.Go(func() {
				if e := Contain(func() error { move(err, to, from, change); return nil }); e != nil {
					*err = e
					client.Abort()
					origin.Abort()
				}
			})
		}
		start(&errs[0], origin, client, func([]byte) {})
		start(&errs[1], client, origin, change)
		wg.Wait()
		return errors.Join(errs[:]...)
	}
}

func services(in ...Service) func(*Session) []Service {
	return func(*Session) []Service { return in }
}

func upper(p []byte) { copy(p, bytes.ToUpper(p)) }

// withoutA drops, in place, the meaning of each A.
func withoutA(p []byte) { copy(p, bytes.ReplaceAll(p, []byte("A"), []byte("_"))) }

func TestServices(t *testing.T) {
	for _, tt := range []struct {
		name string
		in   []Service
		want string
	}{
		{"one", []Service{through(upper)}, "A BANANA"},
		{"order", []Service{through(withoutA), through(upper)}, "_ B_N_N_"},
		{"other order", []Service{through(upper), through(withoutA), through(func([]byte) {})}, "A BANANA"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newTLSTestbed(t, echo, nil, func(b *testbed) { b.cfg.Services = services(tt.in...) })
			c := b.client(nil)
			io.WriteString(c, "a banana")
			c.CloseWrite()
			if got, err := io.ReadAll(c); string(got) != tt.want || err != nil {
				t.Errorf("read %q, %v, want %q", got, err, tt.want)
			}
			c.Close()
			if s := b.session(); s.Outcome != Bumped || s.Reason != "" {
				t.Errorf("outcome %s, reason %q, %v", s.Outcome, s.Reason, s.Err)
			}
			if got := b.tap.data[ClientToOrigin].String(); got != "a banana" {
				t.Errorf("tap saw %q of the client", got)
			}
			if got := b.tap.data[OriginToClient].String(); got != tt.want {
				t.Errorf("tap saw %q for the client", got)
			}
		})
	}
}

func TestServiceBulk(t *testing.T) {
	const size = 8 << 20
	b := newTLSTestbed(t, echo, nil, func(b *testbed) {
		b.cfg.Services = services(through(func([]byte) {}), through(func([]byte) {}))
	})
	c := b.client(nil)
	c.SetDeadline(time.Now().Add(60 * time.Second))
	sent := make([]byte, size)
	rand.Read(sent)
	go func() {
		c.Write(sent)
		c.CloseWrite()
	}()
	if got, err := io.ReadAll(c); !bytes.Equal(got, sent) || err != nil {
		t.Errorf("%d octets came back, or others than sent; %v", len(got), err)
	}
	c.Close()
	b.session()
}

// TestServiceCut has the origin end by a FIN, without close_notify and with: the
// client can tell.
func TestServiceCut(t *testing.T) {
	for _, complete := range []bool{false, true} {
		t.Run(fmt.Sprintf("complete=%v", complete), func(t *testing.T) {
			b := newTLSTestbed(t, func(c *tls.Conn) {
				c.Write([]byte("part"))
				c.Read(make([]byte, 16)) // or the end could come along with the data
				if complete {
					c.CloseWrite()
				}
				c.NetConn().(*net.TCPConn).CloseWrite()
				io.Copy(io.Discard, c.NetConn())
			}, nil, func(b *testbed) {
				b.cfg.Services = services(through(func([]byte) {}), through(func([]byte) {}))
			})
			conn := b.dial()
			c := tls.Client(conn, &tls.Config{ServerName: "www.example.test", RootCAs: b.forger.trusted.pool})
			buf := make([]byte, 16)
			if n, err := c.Read(buf); err != nil || string(buf[:n]) != "part" {
				t.Fatalf("read %q, %v", buf[:n], err)
			}
			c.Write([]byte("go on"))
			// crypto/tls gives io.EOF for both; on the wire an alert may precede the FIN.
			rest, err := io.ReadAll(conn)
			if err != nil || len(rest) > 0 != complete {
				t.Errorf("after the data came %x, %v", rest, err)
			}
			conn.Close()
			b.session()
		})
	}
}

// TestServiceAnswers is about a service that answers in the origin's place, and
// ends while the client is still sending.
func TestServiceAnswers(t *testing.T) {
	b := newTLSTestbed(t, func(c *tls.Conn) { io.Copy(io.Discard, c) }, nil, func(b *testbed) {
		b.cfg.Services = services(carryFunc(func(_ context.Context, s *Session, client, _ End) error {
			client.Read(make([]byte, 10))
			io.WriteString(client, "no")
			s.Served("guard", "blocked")
			return nil
		}))
	})
	c := b.client(nil)
	c.Write(make([]byte, 100_000))
	if got, err := io.ReadAll(c); string(got) != "no" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	c.Close()
	if s := b.session(); s.Reason != "" || s.Services()["guard"] != "blocked" {
		t.Errorf("reason %q, services %v", s.Reason, s.Services())
	}
}

type objection string

func (r objection) Error() string  { return "refused: " + string(r) }
func (r objection) Reason() string { return string(r) }

func TestServiceFails(t *testing.T) {
	for _, tt := range []struct {
		name string
		err  error
		want string
	}{
		{"of its own", objection("smuggling"), "smuggling"},
		{"unknown", io.ErrUnexpectedEOF, "service"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := newTLSTestbed(t, echo, nil, func(b *testbed) {
				b.cfg.Services = services(through(upper), carryFunc(func(_ context.Context, _ *Session, client, _ End) error {
					client.Read(make([]byte, 10))
					return tt.err
				}), through(upper))
			})
			c := b.client(nil)
			io.WriteString(c, "a banana")
			if got, err := io.ReadAll(c); err == nil {
				t.Errorf("read %q and an orderly end", got)
			}
			if s := b.session(); s.Reason != tt.want {
				t.Errorf("reason %q (%v), want %q", s.Reason, s.Err, tt.want)
			}
		})
	}
}

// TestServiceLegBreaks: who resets is told from who does not.
func TestServiceLegBreaks(t *testing.T) {
	b := newTLSTestbed(t, func(c *tls.Conn) {
		c.NetConn().(*net.TCPConn).SetLinger(0)
		c.NetConn().Close()
	}, nil, func(b *testbed) { b.cfg.Services = services(through(upper)) })
	c := b.client(nil)
	if got, err := io.ReadAll(c); err == nil {
		t.Errorf("read %q and an orderly end", got)
	}
	if s := b.session(); s.Reason != reasonOriginReset {
		t.Errorf("reason %q (%v)", s.Reason, s.Err)
	}
}

func TestServicePlain(t *testing.T) {
	serve := func(_ *testbed, c net.Conn) { io.Copy(c, c) }
	b := newTestbed(t, serve, func(b *testbed) { b.cfg.Services = services(through(upper)) })
	c := b.dial()
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: www.example.test\r\n\r\n")
	c.CloseWrite()
	if got, err := io.ReadAll(c); string(got) != "GET / HTTP/1.1\r\nHOST: WWW.EXAMPLE.TEST\r\n\r\n" || err != nil {
		t.Errorf("read %q, %v", got, err)
	}
	c.Close()
	if s := b.session(); s.Outcome != Passed || s.Reason != "" {
		t.Errorf("outcome %s, reason %q", s.Outcome, s.Reason)
	}
}

// TestServicesCarryPlainMail has services carry a dialogue from the command on that
// begins a mail, and none if there are none for it.
func TestServicesCarryPlainMail(t *testing.T) {
	for _, tt := range []struct {
		name, said, first string // what the client says at once, and what services give it first
		services          bool
	}{
		{"behind the answer", "EHLO c\r\n", "250 MAIL FROM:<a@a.test>\r\n", true},
		{"pipelined", "EHLO c\r\nMAIL FROM:<a@a.test>\r\n", "250 MAIL FROM:<a@a.test>\r\n", true},
		{"no services", "EHLO c\r\n", "", false},
		{"pipelined, no services", "EHLO c\r\nMAIL FROM:<a@a.test>\r\n", "", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			read := make(chan string, 1)
			b := newTestbed(t, func(_ *testbed, conn net.Conn) {
				io.WriteString(conn, "220 mail.example.test ESMTP\r\n")
				for lines := bufio.NewScanner(conn); lines.Scan(); {
					io.WriteString(conn, "250 "+lines.Text()+"\r\n")
				}
			}, func(b *testbed) {
				b.cfg.Services = func(s *Session) []Service {
					if !tt.services {
						return nil
					}
					if s.Protocol != "smtp" || s.Outcome != Passed {
						t.Errorf("asked for %+v", s)
					}
					first := true
					return []Service{through(func(p []byte) {
						if first && len(p) > 0 {
							read <- string(p)
							first = false
						}
					})}
				}
			})
			conn := b.dial()
			r := bufio.NewReader(conn)
			expect := func(want string) {
				t.Helper()
				if line, err := r.ReadString('\n'); err != nil || line != want+"\r\n" {
					t.Fatalf("read %q, %v; want %q", line, err, want)
				}
			}
			expect("220 mail.example.test ESMTP")
			io.WriteString(conn, tt.said)
			expect("250 EHLO c")
			if !strings.Contains(tt.said, "MAIL") {
				io.WriteString(conn, "MAIL FROM:<a@a.test>\r\n")
			}
			expect("250 MAIL FROM:<a@a.test>")
			conn.Close()
			if s := b.session(); s.Outcome != Passed || s.Reason != "" {
				t.Errorf("session %v, %q: %v", s.Outcome, s.Reason, s.Err)
			}
			close(read)
			if got := <-read; got != tt.first {
				t.Errorf("services gave %q first", got)
			}
		})
	}
}

// TestHeldCommandsEnd has a client end while a command of its waits for answers: it
// does not go on past the services.
func TestHeldCommandsEnd(t *testing.T) {
	heard := make(chan string, 1)
	b := newTestbed(t, func(_ *testbed, conn net.Conn) {
		io.WriteString(conn, "220 mail.example.test ESMTP\r\n")
		said, _ := io.ReadAll(conn) // and no answer
		heard <- string(said)
	}, func(b *testbed) {
		b.cfg.Services = func(*Session) []Service { return []Service{through(func([]byte) {})} }
	})
	conn := b.dial()
	io.WriteString(conn, "EHLO c\r\nMAIL FROM:<a@a.test>\r\n")
	conn.CloseWrite()
	if got := <-heard; got != "EHLO c\r\n" && got != "" {
		t.Errorf("the origin heard %q", got)
	}
	if s := b.session(); s.Reason != reasonService {
		t.Errorf("session %v, %q: %v", s.Outcome, s.Reason, s.Err)
	}
}
