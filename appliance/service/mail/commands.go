package mail

import (
	"errors"
	"io"

	"github.com/clearspan/clearspan/decrypt/proto/smtp"
)

// commands relays what the client says, until it ends or fails.
func (x *session) commands() error {
	for {
		text, err := x.client.line()
		switch {
		case err == io.EOF:
			return x.origin.end.CloseWrite()
		case err != nil:
			return err
		}
		switch err := x.perform(text); {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF): // in the middle of a message
			return x.origin.end.CloseWrite()
		case err != nil:
			return err
		}
	}
}

// perform relays a command, or does in its place what has to be done.
func (x *session) perform(line []byte) error {
	c, fault := smtp.ParseCommand(line, smtp.Strict)
	switch fault {
	case nil:
	case smtp.ErrControl:
		return x.refuse(500, "5.5.2 Control characters in a command")
	case smtp.ErrLong:
		return x.refuse(500, "5.5.2 Line too long")
	default:
		return x.refuse(500, "5.5.2 Syntax error")
	}
	var n note
	text := string(line) + "\r\n"
	switch c.Verb {
	case smtp.MAIL, smtp.RCPT:
		path, _ := smtp.ParsePath(c.Argument)
		n.address = string(path.Address)
	case smtp.EHLO, smtp.HELO, smtp.LHLO, smtp.RSET:
		x.dropChunks()
	case smtp.AUTH:
		return x.authenticate(text)
	case smtp.DATA:
		return x.data()
	case smtp.BDAT:
		return x.chunk(c)
	case smtp.STARTTLS:
		return x.refuse(454, "4.7.0 TLS not available")
	case smtp.BURL, smtp.XEXCH50:
		return x.refuse(502, "5.5.1 Command not available")
	}
	return x.origin.command(text, n)
}

// refuse answers a command in the origin's place, when all before it are answered.
func (x *session) refuse(code int, text string) error {
	if _, _, err := x.origin.drain(); err != nil {
		return err
	}
	return x.client.answer(code, "%s", text)
}

// authenticate relays AUTH and what the client answers to challenges, which is no
// command whatever it looks like (RFC 4954, Section 4).
func (x *session) authenticate(text string) error {
	if err := x.origin.command(text, note{}); err != nil {
		return err
	}
	for {
		next, _, err := x.origin.drain()
		if err != nil || next != smtp.Response {
			return err
		}
		line, err := x.client.line()
		if err != nil {
			return err
		}
		if err := x.origin.respond(string(line) + "\r\n"); err != nil {
			return err
		}
	}
}

// dropChunks forgets chunks of a message that was not ended.
func (x *session) dropChunks() {
	x.chunks.close()
	x.chunks = nil
}

// data takes the content of DATA.
func (x *session) data() error {
	_, e, err := x.origin.drain()
	switch {
	case err != nil:
		return err
	case e.rcpts == 0 || x.chunks != nil:
		return x.client.answer(503, "5.5.1 Bad sequence of commands")
	}
	if err := x.client.answer(354, "End data with <CR><LF>.<CR><LF>"); err != nil {
		return err
	}
	c := x.newContent(true)
	defer c.close()
	if err := c.readDotted(x.client.input); err != nil {
		return err
	}
	return x.judge(c, e)
}

// chunk takes a chunk of BDAT, which follows whatever the answer.
func (x *session) chunk(command smtp.Command) error {
	size, last, ok := command.Chunk()
	if !ok {
		return violated("size of BDAT is malformed")
	}
	_, e, err := x.origin.drain()
	if err != nil {
		return err
	}
	if x.chunks == nil {
		x.chunks = x.newContent(false)
	}
	if err := x.chunks.readOctets(x.client.input, size, e.rcpts > 0); err != nil {
		return err
	}
	switch {
	case e.rcpts == 0:
		x.dropChunks()
		return x.client.answer(503, "5.5.1 Bad sequence of commands")
	case !last:
		return x.client.answer(250, "2.0.0 %d octets received", size)
	}
	c := x.chunks
	defer x.dropChunks()
	return x.judge(c, e)
}
