package conformance_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/conformance"
)

// record is a TLS record with n octets in it.
func record(kind byte, n int) string {
	return string([]byte{kind, 3, 3, byte(n >> 8), byte(n)}) + strings.Repeat("\x00", n)
}

// unacked returns the capture without the frames that hold nothing but an ACK.
func unacked(c capture) capture {
	handshake := c.frames[:3]
	rest := slices.DeleteFunc(slices.Clone(c.frames[3:]), func(f []byte) bool { return len(f) == data4 && f[tcp4+13] == 0x10 })
	return capture{frames: slices.Concat(handshake, rest)}
}

// breach is a minimal capture that breaks one rule and no other.
type breach struct {
	rule conformance.Rule
	name string // where a rule has several
	make func() []capture
}

// bad breaks every rule.
var bad = []breach{
	{conformance.Frame, "data offset", changed(func(c *capture) { c.insert(9, 8, func(f []byte) { f[tcp4+12] = 0x10 }) })},
	{conformance.Frame, "half an IPv4 header", changed(func(c *capture) { c.frames = append(c.frames, c.frames[8][:20]) })},
	{conformance.Frame, "no Ethernet header", changed(func(c *capture) { c.frames = append(c.frames, []byte{1, 2, 3}) })},
	{conformance.Frame, "options past the header", changed(func(c *capture) { c.insert(9, 8, func(f []byte) { f[opts4+3] = 40 }) })},
	{conformance.Snap, "", changed(func(c *capture) {
		c.wire = map[int]int{4: len(c.frames[4])}
		c.frames[4] = c.frames[4][:96]
	})},
	{conformance.CaptureTime, "", changed(func(c *capture) { c.late = map[int]time.Duration{4: -2 * time.Second} })},
	{conformance.CaptureOrder, "", changed(func(c *capture) { c.late = map[int]time.Duration{4: -time.Second / 2} })},
	{conformance.Duplicate, "data", changed(func(c *capture) { c.frames = slices.Insert(c.frames, 5, c.frames[4]) })},
	{conformance.Duplicate, "everything", func() []capture {
		c, twice := session(flow4), capture{}
		for _, f := range c.frames {
			twice.frames = append(twice.frames, f, f)
		}
		return []capture{twice}
	}},
	{conformance.Duplicate, "IPv6", changed6(func(c *capture) { c.frames = slices.Insert(c.frames, 5, c.frames[4]) })},
	{conformance.MTU, "", func() []capture {
		c := talk(flow4, mirror.Options{}, 9000, word{toClient, strings.Repeat("a", 2000)})
		for i := range 2 {
			c.edit(i, func(f []byte) { put16(f, opts4+2, 1460) })
		}
		return []capture{c}
	}},
	{conformance.Runt, "", changed(func(c *capture) { c.frames[8] = bare(c.frames[8]) })},
	{conformance.Padding, "", changed(func(c *capture) { c.frames[8] = append(bare(c.frames[8]), make([]byte, 6)...) })},
	{conformance.MACZero, "", changed(func(c *capture) { c.edit(4, func(f []byte) { clear(f[6:12]) }) })},
	{conformance.MACLoopback, "", changed(func(c *capture) { c.edit(4, func(f []byte) { copy(f, "\x02\x00\x00\x00\x00\x09") }) })},
	{conformance.MACGroup, "", changed(func(c *capture) { c.edit(4, func(f []byte) { f[6] |= 1 }) })},
	{conformance.IPSum, "", changed(func(c *capture) { c.frames[4][ip+10] ^= 1 })},
	{conformance.IPLength, "longer than the packet", changed(func(c *capture) { c.frames[4] = append(c.frames[4], 1, 2, 3, 4) })},
	{conformance.IPLength, "shorter than the packet", changed(func(c *capture) {
		c.edit(4, func(f []byte) { put16(f, ip+2, get16(f, ip+2)-12) })
		c.edit(5, func(f []byte) { add32(f, seqAt, -12) })
		for i := 6; i < 9; i++ {
			c.edit(i, func(f []byte) {
				if f[tcp4] != 0xc3 { // from the origin
					add32(f, seqAt, -12)
				} else {
					add32(f, ackAt, -12)
				}
			})
		}
	})},
	{conformance.IPLength, "none", changed(func(c *capture) {
		end := len(c.frames[4])
		c.edit(4, func(f []byte) { put16(f, ip+2, uint16(end-ip)) })
		put16(c.frames[4], ip+2, 0)
		put16(c.frames[4], ip+10, 0)
		put16(c.frames[4], ip+10, ^slowSum(c.frames[4][ip:tcp4]))
	})},
	{conformance.IP6Length, "header counted in", changed6(func(c *capture) {
		c.frames[4] = bytes.Clone(c.frames[4])
		put16(c.frames[4], ip+4, get16(c.frames[4], ip+4)+40)
	})},
	{conformance.IP6Length, "octets behind", changed6(func(c *capture) { c.frames[4] = append(c.frames[4], 1, 2, 3, 4) })},
	{conformance.Fragment, "IPv4", changed(func(c *capture) { c.insert(5, 4, func(f []byte) { put16(f, fragAt, 0x2000) }) })},
	{conformance.Fragment, "IPv6", changed6(func(c *capture) {
		f := slices.Concat(c.frames[4][:tcp6], []byte{6, 0, 0, 1, 0, 0, 0, 9}, c.frames[4][tcp6:])
		f[ip+6] = 44
		put16(f, ip+4, get16(f, ip+4)+8)
		c.frames = append(c.frames, f)
	})},
	{conformance.DF, "", changed(func(c *capture) { c.edit(4, func(f []byte) { put16(f, fragAt, 0) }) })},
	{conformance.IPID, "", func() []capture {
		c := talk(flow4, mirror.Options{}, 1500, word{toClient, strings.Repeat("a", 20000)})
		for i := range c.frames {
			c.edit(i, func(f []byte) { put16(f, idAt, 0) })
		}
		return []capture{c}
	}},
	{conformance.TCPSum, "IPv4", changed(func(c *capture) { c.frames[4][len(c.frames[4])-1] ^= 1 })},
	{conformance.TCPSum, "IPv6", changed6(func(c *capture) { c.frames[4][len(c.frames[4])-1] ^= 1 })},
	{conformance.PartialSum, "IPv4", changed(func(c *capture) {
		f := c.frames[4]
		n := uint16(len(f) - tcp4)
		put16(f, tcp4+16, slowSum(slices.Concat(f[ip+12:ip+20], []byte{0, 6, byte(n >> 8), byte(n)})))
	})},
	{conformance.PartialSum, "IPv6", changed6(func(c *capture) {
		f := c.frames[4]
		n := uint16(len(f) - tcp6)
		put16(f, tcp6+16, slowSum(slices.Concat(f[ip+8:ip+40], []byte{0, 6, byte(n >> 8), byte(n)})))
	})},

	{conformance.Handshake, "none", changed(func(c *capture) { c.drop(0, 3) })},
	{conformance.Handshake, "none, IPv6", changed6(func(c *capture) { c.drop(0, 3) })},
	{conformance.Handshake, "no SYN", changed(func(c *capture) { c.drop(0, 1) })},
	{conformance.Handshake, "no SYN-ACK", changed(func(c *capture) { c.drop(1, 2) })},
	{conformance.Handshake, "SYN only", changed(func(c *capture) { c.drop(1, 9) })},
	{conformance.Handshake, "origin speaks too soon", func() []capture {
		c := talk(flow4, mirror.Options{}, 1500, word{toClient, "220 hello\r\n"})
		c.swap(2, 3)
		return []capture{c}
	}},
	{conformance.Handshake, "SYN-ACK of another SYN", changed(func(c *capture) { c.edit(1, func(f []byte) { add32(f, ackAt, -5) }) })},
	{conformance.Handshake, "first ACK of another SYN-ACK", changed(func(c *capture) { c.edit(2, func(f []byte) { add32(f, ackAt, -5) }) })},
	{conformance.Handshake, "SYN in the middle", changed(func(c *capture) {
		c.insert(5, 1, func(f []byte) { add32(f, seqAt, 1000) })
	})},
	{conformance.SYNOptions, "no MSS", changed(func(c *capture) { c.edit(0, func(f []byte) { copy(f[opts4:], "\x01\x01\x01\x01") }) })},
	{conformance.SYNOptions, "MSS of a jumbo MTU", changed(func(c *capture) { c.edit(0, func(f []byte) { put16(f, opts4+2, 8960) }) })},
	{conformance.ISN, "", func() []capture {
		var list []capture
		for i := range uint16(3) {
			list = append(list, talk(onPort(flow4, 50000+i), mirror.Options{ISN: func() uint32 { return 1000 }}, 1500, word{toOrigin, "octets"}))
		}
		return list
	}},
	{conformance.Reuse, "", func() []capture {
		first := session(flow4)
		first.drop(6, 9)
		return []capture{first, session(flow4)}
	}},
	{conformance.OneSided, "client", func() []capture {
		return []capture{only(session(flow4), true)}
	}},
	{conformance.Gap, "a segment", changed(func(c *capture) { c.drop(4, 5) })},
	{conformance.Gap, "the last segment", changed(func(c *capture) { c.drop(5, 6) })},
	{conformance.Gap, "IPv6", changed6(func(c *capture) { c.drop(4, 5) })},
	{conformance.Gap, "at the end", func() []capture {
		c := talk(flow4, mirror.Options{}, 1500, word{toClient, strings.Repeat("a", 3000)}, word{toOrigin, "thanks"})
		c.drop(5, 6) // acknowledged by the next frame, and nothing follows: RST
		c.drop(6, len(c.frames))
		c.insert(6, 5, func(f []byte) { f[tcp4+13] |= 4; add32(f, seqAt, 6); put16(f, ip+2, data4-ip) })
		c.frames[6] = c.frames[6][:data4]
		return []capture{c}
	}},
	{conformance.Order, "", changed(func(c *capture) { c.swap(4, 5) })},
	{conformance.Order, "IPv6", changed6(func(c *capture) { c.swap(4, 5) })},
	{conformance.Retransmission, "a segment", changed(func(c *capture) { c.insert(6, 4, again) })},
	{conformance.Retransmission, "SYN", changed(func(c *capture) { c.insert(1, 0, again) })},
	{conformance.Retransmission, "FIN", changed(func(c *capture) { c.insert(7, 6, again) })},
	{conformance.Overlap, "", changed(func(c *capture) {
		c.insert(5, 4, func(f []byte) { again(f); add32(f, seqAt, 552) })
		c.drop(6, 7) // its octets are all there
	})},
	{conformance.Conflict, "the whole segment", changed(func(c *capture) { c.insert(6, 4, func(f []byte) { again(f); f[data4+700] ^= 1 }) })},
	{conformance.Conflict, "where segments overlap", changed(func(c *capture) {
		c.insert(5, 4, func(f []byte) { again(f); add32(f, seqAt, 552); f[data4+447] ^= 1 })
		c.drop(6, 7)
	})},
	{conformance.AckBeforeData, "", changed(func(c *capture) { c.swap(3, 4) })},
	{conformance.AckBeforeData, "IPv6", changed6(func(c *capture) { c.swap(3, 4) })},
	{conformance.NoAck, "", changed(func(c *capture) {
		for _, i := range []int{4, 5, 7} {
			c.edit(i, func(f []byte) { copy(f[ackAt:ackAt+4], c.frames[1][ackAt:]) })
		}
	})},
	{conformance.Unacked, "", func() []capture {
		return []capture{unacked(talk(flow4, mirror.Options{}, 1500, word{toClient, strings.Repeat("a", 65537)}))}
	}},
	{conformance.Window, "", changed(func(c *capture) {
		for i := 2; i < 4; i++ {
			c.edit(i, func(f []byte) { put16(f, winAt, 500) })
		}
	})},
	{conformance.WindowFull, "", changed(func(c *capture) {
		for i := 2; i < 4; i++ {
			c.edit(i, func(f []byte) { put16(f, winAt, 1000) })
		}
	})},
	{conformance.TCPTime, "", changed(func(c *capture) { c.edit(5, func(f []byte) { add32(f, tsval, -1000) }) })},
	{conformance.AfterEnd, "data after FIN", changed(func(c *capture) { c.insert(8, 3, func(f []byte) { again(f); add32(f, seqAt, 101) }) })},
	{conformance.AfterEnd, "data after RST", changed(func(c *capture) {
		c.edit(5, func(f []byte) { f[tcp4+13] |= 4 })
		c.drop(6, 9)
		c.insert(6, 3, func(f []byte) { again(f); add32(f, seqAt, 100) })
	})},
	{conformance.End, "none", changed(func(c *capture) { c.drop(6, 9) })},
	{conformance.End, "one FIN", changed(func(c *capture) { c.drop(7, 9) })},
	{conformance.End, "none, IPv6", changed6(func(c *capture) { c.drop(6, 9) })},

	{conformance.TLSHello, "in front of a request", said(8080, word{toOrigin, record(22, 517)}, word{toOrigin, "GET / HTTP/1.1\r\n\r\n"}, word{toClient, "HTTP/1.1 204 No Content\r\n\r\n"})},
	{conformance.TLSHello, "answered in clear", said(443, word{toOrigin, record(22, 517)}, word{toClient, "HTTP/1.1 204 No Content\r\n\r\n"})},
	{conformance.TLSHello, "of the origin too", said(443, word{toOrigin, record(22, 517)}, word{toClient, record(22, 90)}, word{toClient, "HTTP/1.1 204 No Content\r\n\r\n"})},
	{conformance.TLSHello, "asked in clear", said(443, word{toOrigin, "GET / HTTP/1.1\r\n\r\n"}, word{toClient, record(21, 2)})},
	{conformance.TLSPort, "IMAP on 993", said(993, word{toClient, "* OK ready\r\n"}, word{toOrigin, "a logout\r\n"})},
	{conformance.TLSPort, "MQTT on 8883", said(8883, word{toOrigin, "\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a"}, word{toClient, "\x20\x02\x00\x00"})},
	{conformance.TLSPort, "AMQP on 5671", said(5671, word{toOrigin, "AMQP\x00\x00\x09\x01"}, word{toClient, "\x01\x00"})},
	{conformance.Port, "IMAP on 1993", said(1993, word{toClient, "* OK ready\r\n"}, word{toOrigin, "a logout\r\n"})},
	{conformance.Port, "NNTP on 563", said(563, word{toClient, "200 ready\r\n"}, word{toOrigin, "QUIT\r\n"})},
	{conformance.Port, "HTTP/1 on the port of MySQL", said(3306, word{toOrigin, "GET / HTTP/1.1\r\n\r\n"}, word{toClient, "HTTP/1.1 204 No\r\n\r\n"})},
	{conformance.TLSPort, "no HTTP on 443", said(443, word{toOrigin, "octets of some protocol"})},
	{conformance.STARTTLS, "SMTP", said(25, word{toClient, "220 mail ESMTP\r\n"}, word{toOrigin, "EHLO a\r\n"}, word{toClient, "250-mail\r\n250 STARTTLS\r\n"},
		word{toOrigin, "STARTTLS\r\n"}, word{toClient, "220 ready\r\n"}, word{toOrigin, "EHLO a\r\n"}, word{toClient, "250 mail\r\n"})},
	{conformance.STARTTLS, "IMAP", said(143, word{toClient, "* OK ready\r\n"}, word{toOrigin, "a1 CAPABILITY\r\na2 STARTTLS\r\n"},
		word{toClient, "* CAPABILITY IMAP4rev1\r\na1 OK\r\na2 OK go\r\n"}, word{toOrigin, "a3 LOGIN a b\r\n"})},
	{conformance.STARTTLS, "POP3", said(110, word{toClient, "+OK ready\r\n"}, word{toOrigin, "st"}, word{toOrigin, "ls\n"}, word{toClient, "+OK go\r\n"}, word{toOrigin, "USER a\r\n"})},
	{conformance.STARTTLS, "FTP", said(21, word{toClient, "220 ftp\r\n"}, word{toOrigin, "AUTH TLS\r\n"}, word{toClient, "234 go\r\n"}, word{toOrigin, "USER a\r\n"})},
	{conformance.TLS, "tunneled", said(443, word{toOrigin, record(22, 517) + record(20, 1)}, word{toClient, record(22, 3000)}, word{toOrigin, record(23, 16384)}, word{toClient, record(23, 40000%16384) + record(21, 2)})},
	{conformance.TLS, "by STARTTLS", said(25, word{toClient, "220 mail\r\n"}, word{toOrigin, "STARTTLS\r\n"}, word{toClient, "220 ready\r\n"}, word{toOrigin, record(22, 517)})},
	{conformance.HTTP2, "", said(80, word{toOrigin, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"})},
	{conformance.Other, "ARP", changed(func(c *capture) {
		arp := make([]byte, 60)
		arp[12], arp[13] = 8, 6
		c.frames = append(c.frames, arp)
	})},
	{conformance.Other, "UDP", changed(func(c *capture) { c.insert(9, 4, func(f []byte) { f[ip+9] = 17 }) })},
}

// changed returns what makes a sound conversation over IPv4 with a change.
func changed(change func(*capture)) func() []capture { return changedFlow(flow4, change) }

func changed6(change func(*capture)) func() []capture { return changedFlow(flow6, change) }

func changedFlow(flow mirror.Flow, change func(*capture)) func() []capture {
	return func() []capture {
		c := session(flow)
		change(&c)
		return []capture{c}
	}
}

// said returns what makes a conversation with an origin's port.
func said(port uint16, words ...word) func() []capture {
	return func() []capture {
		return []capture{talk(toPort(flow4, port), mirror.Options{Ports: mirror.KeepPorts}, 1500, words...)}
	}
}

// again makes a frame no copy: hosts count.
func again(f []byte) { put16(f, idAt, get16(f, idAt)+1000) }

// bare returns a frame without TCP options and payload.
func bare(f []byte) []byte {
	f = bytes.Clone(f[:opts4])
	f[tcp4+12] = 0x50
	put16(f, ip+2, 40)
	fix(f)
	return f
}

// only returns the frames of one side.
func only(c capture, client bool) capture {
	c.frames = slices.DeleteFunc(c.frames, func(f []byte) bool { return (get16(f, tcp4) == flow4.Client.Port()) != client })
	return c
}

func TestEachRuleIsFound(t *testing.T) {
	tested := make(map[conformance.Rule]bool)
	for _, tt := range bad {
		tested[tt.rule] = true
		t.Run(strings.TrimSuffix(tt.rule.String()+" "+tt.name, " "), func(t *testing.T) {
			r := judge(conformance.Options{}, tt.make()...)
			breaks(t, r, tt.rule)
			if want := tt.rule.Kind() == conformance.Note; r.Ready != want {
				t.Errorf("ready %t, want %t", r.Ready, want)
			}
			result := r.Results[tt.rule]
			if result.Count == 0 || result.Judged < result.Count || result.Meaning == "" || len(result.First) == 0 ||
				result.First[0].Frame == 0 || result.First[0].Text == "" || result.First[0].Time.Before(start.Add(-time.Minute)) {
				t.Errorf("result %+v", result)
			}
		})
	}
	for _, rule := range conformance.Rules() {
		if !tested[rule] {
			t.Errorf("no capture breaks %s", rule)
		}
	}
}

// TestSeveralRules: a breach of one does not hide that of another.
func TestSeveralRules(t *testing.T) {
	breaks(t, judge(conformance.Options{}, said(443, word{toOrigin, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"})()...), conformance.TLSPort, conformance.HTTP2)
	for _, port := range []uint16{8443, 6443, 9443, 50051} {
		breaks(t, judge(conformance.Options{}, said(port, word{toOrigin, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"})()...), conformance.Port, conformance.HTTP2)
	}
	c := session(flow4)
	c.frames[3][ip+10] ^= 1
	c.frames[4][len(c.frames[4])-1] ^= 1
	c.frames[8] = bare(c.frames[8])
	c.drop(6, 7)
	breaks(t, judge(conformance.Options{}, c), conformance.Runt, conformance.IPSum, conformance.TCPSum, conformance.End)
}

// TestPortsThatAreRead: no rule is broken where tshark reads the protocol.
func TestPortsThatAreRead(t *testing.T) {
	for _, tt := range []struct {
		port  uint16
		words []word
	}{
		{443, []word{{toOrigin, "GET / HTTP/1.1\r\n\r\n"}, {toClient, "HTTP/1.1 204 No\r\n\r\n"}}},
		{9443, []word{{toOrigin, "GET / HTTP/1.1\r\n\r\n"}, {toClient, "HTTP/1.1 204 No\r\n\r\n"}}},
		{587, []word{{toClient, "220 a.test\r\n"}, {toOrigin, "EHLO c\r\n"}}},
		{21, []word{{toClient, "220 hi\r\n"}, {toOrigin, "USER c\r\n"}}},
		{5061, []word{{toOrigin, "OPTIONS sip:a.test SIP/2.0\r\n\r\n"}}},
		{1883, []word{{toOrigin, "\x10\x0d\x00\x04MQTT\x04\x02\x00\x3c\x00\x01a"}}},
		{7777, []word{{toOrigin, "octets of some protocol"}}},
		{143, []word{{toClient, "* OK ready\r\n"}, {toOrigin, "a logout\r\n"}}},
	} {
		if r := judge(conformance.Options{}, said(tt.port, tt.words...)()...); !r.Ready {
			t.Errorf("port %d: %v", tt.port, r.Broken(conformance.Fail))
		}
	}
}
