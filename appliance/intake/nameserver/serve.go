package nameserver

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"time"

	"github.com/miekg/dns"
)

// maxMessage is the length of a message, in octets, at most (RFC 1035, Section
// 4.2.2).
const maxMessage = 1<<16 - 1

// serveUDP answers datagrams, each in a goroutine of its own.
func (s *Server) serveUDP(ctx context.Context) {
	buf := make([]byte, maxMessage)
	for {
		n, client, err := s.sockets.UDP.ReadFromUDPAddrPort(buf)
		switch {
		case err != nil && s.closed():
			return
		case err != nil: // an ICMP error of an answer before
			time.Sleep(time.Millisecond)
			continue
		case !s.permits(client.Addr()):
			s.count(refused) // silently: who asks may be somebody else
			continue
		}
		select {
		case s.slots <- struct{}{}:
		default:
			s.count(dropped)
			continue
		}
		query := append([]byte(nil), buf[:n]...)
		s.sessions.Go(func() {
			defer func() { <-s.slots }()
			if answer := s.answer(ctx, query, "udp"); answer != nil {
				s.sockets.UDP.WriteToUDPAddrPort(answer, client)
			}
		})
	}
}

// serveTCP answers connections.
func (s *Server) serveTCP(ctx context.Context) {
	for {
		conn, err := s.sockets.TCP.AcceptTCP()
		switch {
		case err != nil && s.closed():
			return
		case err != nil: // want of descriptors passes
			time.Sleep(10 * time.Millisecond)
			continue
		}
		client := conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr()
		if !s.permits(client) {
			s.count(refused)
			conn.Close()
			continue
		}
		if !s.enter(client) {
			s.count(dropped)
			conn.Close()
			continue
		}
		s.sessions.Go(func() {
			defer s.leave(client)
			stop := context.AfterFunc(ctx, func() { conn.Close() })
			defer stop()
			defer conn.Close()
			s.converse(ctx, conn)
		})
	}
}

// enter counts a connection of client, unless there are too many.
func (s *Server) enter(client netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.open >= maxConns || s.conns[client] >= maxPerClient {
		return false
	}
	s.open++
	s.conns[client]++
	return true
}

func (s *Server) leave(client netip.Addr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.open--
	if s.conns[client]--; s.conns[client] == 0 {
		delete(s.conns, client)
	}
}

// converse answers the queries of a connection, one after the other.
func (s *Server) converse(ctx context.Context, conn net.Conn) {
	for {
		s.await(conn)
		query, err := readMessage(conn)
		s.asked(conn)
		if err != nil {
			return
		}
		answer := s.answer(ctx, query, "tcp")
		if answer == nil {
			return
		}
		conn.SetDeadline(time.Now().Add(idle))
		if writeMessage(conn, answer) != nil {
			return
		}
	}
}

// await bounds how long a connection is waited for.
func (s *Server) await(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	limit := idle
	if s.closed() {
		limit = lastIdle
	}
	conn.SetDeadline(time.Now().Add(limit))
	s.waiting[conn] = true
}

// asked ends that.
func (s *Server) asked(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, conn)
}

// readMessage reads a message behind its length.
func readMessage(r io.Reader) ([]byte, error) {
	var length [2]byte
	if _, err := io.ReadFull(r, length[:]); err != nil {
		return nil, err
	}
	p := make([]byte, binary.BigEndian.Uint16(length[:]))
	_, err := io.ReadFull(r, p)
	return p, err
}

func writeMessage(w io.Writer, p []byte) error {
	_, err := w.Write(append(binary.BigEndian.AppendUint16(make([]byte, 0, 2+len(p)), uint16(len(p))), p...))
	return err
}

// answer returns what the client gets, nil for nothing.
func (s *Server) answer(ctx context.Context, query []byte, network string) []byte {
	q := new(dns.Msg)
	switch err := q.Unpack(query); {
	case len(query) < headerOctets || query[2]&0x80 != 0: // no query: to answer would be to reflect
		s.count(refused)
		return nil
	case err != nil || len(q.Question) != 1:
		s.count(refused)
		return failure(query, q, dns.RcodeFormatError)
	case q.Opcode != dns.OpcodeQuery:
		s.count(refused)
		return failure(query, q, dns.RcodeNotImplemented)
	case q.Question[0].Qtype == dns.TypeAXFR || q.Question[0].Qtype == dns.TypeIXFR: // many messages
		s.count(refused)
		return failure(query, q, dns.RcodeRefused)
	}
	answer, r := s.ask(ctx, query, q, network)
	s.count(r)
	if answer == nil {
		return failure(query, q, dns.RcodeServerFailure)
	}
	return answer
}

const headerOctets = 12

// failure is an answer without records.
func failure(query []byte, q *dns.Msg, code int) []byte {
	a := new(dns.Msg)
	a.Id = binary.BigEndian.Uint16(query)
	a.Response, a.Opcode, a.RecursionDesired, a.RecursionAvailable, a.Rcode = true, q.Opcode, q.RecursionDesired, true, code
	if len(q.Question) == 1 {
		a.Question = q.Question
	}
	if q.IsEdns0() != nil {
		a.SetEdns0(dns.DefaultMsgSize, false)
	}
	p, err := a.Pack()
	if err != nil {
		return nil
	}
	return p
}
