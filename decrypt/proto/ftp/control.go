// Package ftp reads the control connection of an FTP session in clear. It finds the
// data connections that the session announces (RFC 959, RFC 2428) and their
// protection (RFC 4217). It alters nothing and keeps one line per direction.
package ftp

import (
	"net/netip"
	"sync"

	"github.com/clearspan/clearspan/decrypt/proto/line"
)

// Data is a data connection that is about to be made.
type Data struct {
	// Active: the server connects to Address, which is the client's word. Otherwise
	// the client connects to it, which is the server's word; its address is not
	// valid where only a port was given (EPSV).
	Active    bool
	Address   netip.Addr
	Port      uint16
	Protected bool // it begins with TLS, of which the FTP client is the client
}

// Control is one control connection. It is safe for concurrent use; the two
// directions may be read by two goroutines.
type Control struct {
	mu      sync.Mutex
	lines   [2]line.Buffer
	replies Replies
	secured bool // data connections are protected
	level   byte // of a PROT without a reply, 0 for none
	passive int  // PASV and EPSV without a reply
	off     bool // it is no FTP
}

// maxPassive bounds how many commands are remembered that no reply answers.
const maxPassive = 100

// NewControl returns a control connection. With secured, data connections are
// protected unless PROT says otherwise, which a client must say first in a session
// that has TLS.
func NewControl(secured bool) *Control {
	kept := line.Buffer{Head: maxLine}
	return &Control{secured: secured, lines: [2]line.Buffer{kept, kept}}
}

// Secured says that the control connection has turned to TLS.
func (c *Control) Secured() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.secured = true
}

// Client borrows p, what the client sends, and returns what is announced in it, nil
// for nothing.
func (c *Control) Client(p []byte) []Data { return c.read(0, p, c.command) }

// Origin is [Control.Client] for what the server sends.
func (c *Control) Origin(p []byte) []Data { return c.read(1, p, c.reply) }

func (c *Control) read(dir int, p []byte, take func([]byte) (Data, bool)) (announced []Data) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(p) > 0 && !c.off {
		text, n, whole := c.lines[dir].Next(p)
		p = p[n:]
		if !whole {
			break
		}
		if d, ok := take(text); ok {
			announced = append(announced, d)
		}
	}
	return announced
}

// command takes a line of the client.
func (c *Control) command(text []byte) (d Data, ok bool) {
	verb, argument := ParseCommand(text)
	switch {
	case line.Is(verb, "EHLO"), line.Is(verb, "HELO"):
		c.off = true
	case line.Is(verb, "PROT"):
		if len(argument) == 1 {
			c.level = argument[0] &^ 0x20
		}
	case line.Is(verb, "PASV"), line.Is(verb, "EPSV"):
		if !line.Is(argument, "ALL") {
			c.passive = min(c.passive+1, maxPassive)
		}
	case line.Is(verb, "PORT"):
		d.Address, d.Port, ok = hostPort(string(argument))
	case line.Is(verb, "EPRT"):
		d.Address, d.Port, ok = extended(string(argument))
	}
	d.Active, d.Protected = true, c.secured
	return d, ok
}

// reply takes a line of the server.
func (c *Control) reply(text []byte) (d Data, ok bool) {
	r, ok := c.replies.Next(text)
	if !ok || !r.Last {
		return d, false
	}
	if class := r.Code / 100; c.level != 0 && (class == 2 || class >= 4) {
		if class == 2 {
			c.secured = c.level == 'P' || c.level == 'E'
		}
		c.level = 0
	}
	if c.passive == 0 {
		return d, false
	}
	switch r.Code {
	case 227:
		d.Address, d.Port, ok = passiveReply(string(r.Text))
	case 229:
		d.Port, ok = extendedReply(string(r.Text))
	default:
		return d, false
	}
	c.passive--
	d.Protected = c.secured
	return d, ok
}
