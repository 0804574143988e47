package quicclient

import (
	"context"
	"crypto/tls"
	"errors"
)

// Hello returns the ClientHello of crypto/tls for QUIC, as a handshake message. It fits
// a datagram: its key share is for X25519.
func Hello(name string, protocols ...string) ([]byte, error) {
	c := tls.QUICClient(&tls.QUICConfig{TLSConfig: &tls.Config{
		ServerName: name, NextProtos: protocols, MinVersion: tls.VersionTLS13, InsecureSkipVerify: true,
		CurvePreferences: []tls.CurveID{tls.X25519},
	}})
	defer c.Close()
	// A reserved parameter (RFC 9000, Section 18.1), so that the hello is as long as others.
	c.SetTransportParameters(append([]byte{27, 0x40, 200}, make([]byte, 200)...))
	if err := c.Start(context.Background()); err != nil {
		return nil, err
	}
	var hello []byte
	for {
		switch e := c.NextEvent(); e.Kind {
		case tls.QUICWriteData:
			hello = append(hello, e.Data...)
		case tls.QUICNoEvent:
			if len(hello) == 0 {
				return nil, errors.New("make client hello: crypto/tls wrote none")
			}
			return hello, nil
		}
	}
}

// Size is how long the first datagrams of clients are at least, RFC 9000, Section
// 14.1.
const Size = 1200

// Datagrams returns a hello in that many datagrams of a connection.
func Datagrams(id, hello []byte, n int) (all [][]byte) {
	for i := range n {
		from, to := len(hello)*i/n, len(hello)*(i+1)/n
		all = append(all, Datagram(&Packet{Destination: id, Number: uint64(i), Frames: Crypto(from, hello[from:to])}))
	}
	return all
}

// Datagram returns the packet alone in a datagram, padded to [Size].
func Datagram(p *Packet) []byte {
	padded := *p
	short := Size - len(p.Seal())
	padded.Frames = append(append([]byte(nil), p.Frames...), make([]byte, max(short, 0))...)
	return padded.Seal()
}
