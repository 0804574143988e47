package handshake

import (
	"crypto/tls"
	"io"
	"net"
	"time"

	"github.com/clearspan/clearspan/decrypt/ticket"
)

// Client is the handshake with the client of one session, which is shown whom it is
// connected to: by a certificate, or by a ticket of an earlier session with the same
// origin. The origin's handshake is over and judged by then, always.
type Client struct {
	MinVersion, MaxVersion uint16
	Protocol               string    // that the origin has chosen, "" for none
	Keys                   io.Writer // of secrets, in the NSS key log format; nil: nowhere
	Timeout                time.Duration

	Own   []tls.Certificate                // the origin's own, shown in place of a forged one
	Forge func() (*tls.Certificate, error) // makes the certificate if there is none of Own

	Tickets *ticket.Keys // nil: no client resumes
	Binding []byte       // what a ticket must have been given for

	shown   content // by certificate
	resumed content // by ticket
}

// Shake completes the handshake on a connection, which it borrows. Result says how far
// it came in case of an error, which may be that of Forge.
func (c *Client) Shake(conn net.Conn) (Result, error) {
	cfg := &tls.Config{
		MinVersion:                  c.MinVersion,
		MaxVersion:                  c.MaxVersion,
		CipherSuites:                GreenSuites,
		DynamicRecordSizingDisabled: true,
		KeyLogWriter:                c.Keys,
	}
	if c.Protocol != "" {
		cfg.NextProtos = []string{c.Protocol}
	}
	if len(c.Own) > 0 {
		cfg.Certificates = c.Own
		c.shown.until = c.leafEnd()
	} else {
		cfg.GetCertificate = c.certificate
	}
	if c.Tickets == nil {
		cfg.SessionTicketsDisabled = true
	} else {
		cfg.WrapSession, cfg.UnwrapSession = c.wrap, c.unwrap
	}
	return shake(conn, tls.Server(conn, cfg), c.Timeout)
}

// leafEnd is when the first of the origin's own certificates ends, or a ticket could no
// longer be opened.
func (c *Client) leafEnd() time.Time {
	end := time.Now().Add(ticketLife)
	for i := range c.Own {
		if leaf := c.Own[i].Leaf; leaf != nil && leaf.NotAfter.Before(end) {
			end = leaf.NotAfter
		}
	}
	return end
}

// certificate forges. TLS 1.3 comes here only for a client that does not resume,
// TLS 1.2 always.
func (c *Client) certificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	leaf, err := c.Forge()
	if err != nil {
		return nil, err // crypto/tls sends internal_error
	}
	c.shown.until = time.Now().Add(ticketLife)
	if leaf.Leaf != nil {
		c.shown.serial = leaf.Leaf.SerialNumber.Text(16)
		c.shown.until = leaf.Leaf.NotAfter
	}
	return leaf, nil
}

// wrap seals the session's own ticket. One that was resumed passes on by what
// leaf its client knows the origin, so that resuming does not outlive the leaf.
func (c *Client) wrap(cs tls.ConnectionState, state *tls.SessionState) ([]byte, error) {
	t := c.shown
	if cs.DidResume {
		t = c.resumed
	}
	return seal(c.Tickets, time.Now(), c.Binding, t, state)
}

// unwrap opens the ticket that the client sent. One that does not open makes for
// a full handshake.
func (c *Client) unwrap(sealed []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
	if cs.Version < tls.VersionTLS13 && c.Keys != nil {
		return nil, nil // crypto/tls logs no secret of such a session
	}
	t, state := open(c.Tickets, time.Now(), c.Binding, sealed)
	c.resumed = t
	return state, nil
}

// Serial is that of the leaf by which the client knows the origin, hexadecimal, "" where
// none was forged. It is for after Shake.
func (c *Client) Serial(resumed bool) string {
	if resumed {
		return c.resumed.serial
	}
	return c.shown.serial
}
