package intake

import (
	"crypto/tls"
	"errors"
	"net"
)

// clientConn is a client's connection to a proxy: a socket, or TLS over one.
type clientConn interface {
	net.Conn
	CloseWrite() error
}

// secure returns what a client's request is read from: TLS by the intake's own
// certificates, if it has some, whose handshake is made by the first read.
func (e *explicit) secure(socket *net.TCPConn) clientConn {
	if e.tls == nil {
		return socket
	}
	return tls.Server(socket, e.tls)
}

// listenerTLS is how clients reach a proxy that has certificates; nil: it has none, and is
// reached in the clear.
func listenerTLS(certificates []tls.Certificate) *tls.Config {
	if len(certificates) == 0 {
		return nil
	}
	return &tls.Config{Certificates: certificates, MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}}
}

// isTLSFault reports whether a client speaks no TLS where the proxy expects it, or refuses
// the proxy's.
func isTLSFault(err error) bool {
	var alert tls.AlertError
	var record tls.RecordHeaderError
	return errors.As(err, &alert) || errors.As(err, &record)
}
