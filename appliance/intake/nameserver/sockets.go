package nameserver

import (
	"errors"
	"fmt"
	"net"
	"os"
)

// Sockets are where queries arrive: one address and port, of UDP and of TCP. Several
// processes may have them and read: each query reaches one of them.
type Sockets struct {
	UDP *net.UDPConn
	TCP *net.TCPListener
}

// Listen opens the sockets at ADDRESS:PORT; the address must not be empty.
func Listen(address string) (s Sockets, err error) {
	if host, _, err := net.SplitHostPort(address); err != nil || host == "" {
		return s, fmt.Errorf("want an address and port to listen on, not %q", address)
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return s, err
	}
	s.TCP = l.(*net.TCPListener)
	at := l.Addr().(*net.TCPAddr)
	if s.UDP, err = net.ListenUDP("udp", &net.UDPAddr{IP: at.IP, Port: at.Port, Zone: at.Zone}); err != nil {
		return Sockets{}, errors.Join(err, l.Close())
	}
	return s, nil
}

// Files returns copies of the sockets, the caller's: TCP first.
func (s Sockets) Files() (files []*os.File, err error) {
	for _, socket := range []interface{ File() (*os.File, error) }{s.TCP, s.UDP} {
		f, err := socket.File()
		if err != nil {
			return nil, errors.Join(fmt.Errorf("hold socket of a name server: %w", err), closeFiles(files))
		}
		files = append(files, f)
	}
	return files, nil
}

// SocketsOf makes sockets of such files, which it closes.
func SocketsOf(files []*os.File) (s Sockets, err error) {
	defer func() {
		if err = errors.Join(err, closeFiles(files)); err != nil {
			s.Close()
			s, err = Sockets{}, fmt.Errorf("take sockets of a name server: %w", err)
		}
	}()
	if len(files) != 2 {
		return s, fmt.Errorf("there are %d, not 2", len(files))
	}
	l, err := net.FileListener(files[0])
	if err != nil {
		return s, err
	}
	var ok bool
	if s.TCP, ok = l.(*net.TCPListener); !ok {
		return s, errors.Join(fmt.Errorf("the first is a %T", l), l.Close())
	}
	p, err := net.FilePacketConn(files[1])
	if err != nil {
		return s, err
	}
	if s.UDP, ok = p.(*net.UDPConn); !ok {
		return s, errors.Join(fmt.Errorf("the second is a %T", p), p.Close())
	}
	return s, nil
}

// Close closes those that are open.
func (s Sockets) Close() error {
	var errs []error
	if s.UDP != nil {
		errs = append(errs, s.UDP.Close())
	}
	if s.TCP != nil {
		errs = append(errs, s.TCP.Close())
	}
	return errors.Join(errs...)
}

func closeFiles(files []*os.File) error {
	var errs []error
	for _, f := range files {
		errs = append(errs, f.Close())
	}
	return errors.Join(errs...)
}
