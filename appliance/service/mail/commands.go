package mail

import (
	"bytes"
	"errors"
	"io"
	"strconv"
)

// commands relays what the client says, until it ends or fails.
func (x *session) commands() error {
	for {
		line, err := x.client.next()
		switch {
		case err == io.EOF:
			return x.toAll.CloseWrite()
		case err != nil:
			return err
		}
		switch err := x.perform(line); {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF): // in the middle of a message
			return x.toAll.CloseWrite()
		case err != nil:
			return err
		}
	}
}

// perform relays a command, or does in its place what has to be done.
func (x *session) perform(line []byte) error {
	verb, rest := word(line)
	if bytes.ContainsAny(line, "\r\x00") {
		return x.refuse(500, "5.5.2 Control characters in a command")
	}
	if !isVerb(verb) {
		return x.refuse(500, "5.5.2 Syntax error")
	}
	text := string(line) + "\r\n"
	switch verb {
	case "EHLO", "HELO", "LHLO":
		x.forget()
		return x.command(pending{kind: hello}, text)
	case "MAIL":
		return x.command(pending{kind: mailFrom, arg: address(rest)}, text)
	case "RCPT":
		return x.command(pending{kind: rcptTo, arg: address(rest)}, text)
	case "RSET":
		x.forget()
		return x.command(pending{kind: reset}, text)
	case "AUTH":
		return x.authenticate(text)
	case "DATA":
		return x.data()
	case "BDAT":
		return x.chunk(rest)
	case "STARTTLS":
		return x.refuse(454, "4.7.0 TLS not available")
	case "BURL", "XEXCH50":
		return x.refuse(502, "5.5.1 Command not available")
	}
	return x.command(pending{}, text)
}

// refuse answers a command in the origin's place, when all before it are answered.
func (x *session) refuse(code int, text string) error {
	if err := x.drain(); err != nil {
		return err
	}
	return x.answer(code, "%s", text)
}

// authenticate relays AUTH and what the client answers to challenges, which is no
// command whatever it looks like (RFC 4954, Section 4).
func (x *session) authenticate(text string) error {
	for {
		if err := x.command(pending{kind: auth}, text); err != nil {
			return err
		}
		if err := x.drain(); err != nil {
			return err
		}
		x.mu.Lock()
		challenged := x.challenged
		x.mu.Unlock()
		if !challenged {
			return nil
		}
		line, err := x.client.next()
		if err != nil {
			return err
		}
		text = string(line) + "\r\n"
	}
}

// recipients reports whether the transaction has any, when all commands have their
// replies.
func (x *session) recipients() (bool, error) {
	if err := x.drain(); err != nil {
		return false, err
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.rcpts > 0, nil
}

// done ends the transaction.
func (x *session) done() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.rcpts, x.from, x.to = 0, "", nil
}

// forget drops chunks of a message that was not ended.
func (x *session) forget() {
	x.bdat.close()
	x.bdat = nil
}

// data takes the content of DATA.
func (x *session) data() error {
	ready, err := x.recipients()
	switch {
	case err != nil:
		return err
	case !ready || x.bdat != nil:
		return x.answer(503, "5.5.1 Bad sequence of commands")
	}
	if err := x.answer(354, "End data with <CR><LF>.<CR><LF>"); err != nil {
		return err
	}
	c := x.newContent(true)
	defer c.close()
	if err := c.readDotted(x.client.br); err != nil {
		return err
	}
	return x.judge(c)
}

// chunk takes a chunk of BDAT, which follows whatever the answer.
func (x *session) chunk(rest []byte) error {
	size, last := word(rest)
	n, err := strconv.ParseUint(size, 10, 62)
	end, _ := word(last)
	if err != nil || end != "LAST" && len(last) > 0 {
		return violated("size of BDAT is malformed")
	}
	ready, err := x.recipients()
	if err != nil {
		return err
	}
	if x.bdat == nil {
		x.bdat = x.newContent(false)
	}
	if err := x.bdat.readOctets(x.client.br, int64(n), ready); err != nil {
		return err
	}
	switch {
	case !ready:
		x.forget()
		return x.answer(503, "5.5.1 Bad sequence of commands")
	case end != "LAST":
		return x.answer(250, "2.0.0 %d octets received", n)
	}
	c := x.bdat
	defer x.forget()
	return x.judge(c)
}
