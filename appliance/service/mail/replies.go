package mail

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
)

const (
	maxPending = 1000     // commands without a reply; a client with more waits
	maxReply   = 64 << 10 // octets of one reply
	maxRcpts   = 100      // recipients that a service is told
)

// errOver says that the other direction has ended the session.
var errOver = errors.New("session is over")

// kind is what a command is, as far as its reply matters.
type kind uint8

const (
	other kind = iota
	hello      // EHLO: the reply is edited; HELO
	mailFrom
	rcptTo
	reset
	auth     // 334 has the client go on
	greeting // no command at all
	own      // the reply is for us, and comes by pending.reply
)

// pending is a command that has no reply yet.
type pending struct {
	kind  kind
	arg   string
	reply chan reply // of kind own; buffered
}

// reply is a whole reply.
type reply struct {
	code int
	text []byte // all lines with their ends
}

// replies relays what the origin says, until it ends or fails.
func (x *session) replies() error {
	for {
		r, err := x.reply()
		switch {
		case err == io.EOF:
			return x.toOne.CloseWrite()
		case err != nil:
			return err
		}
		p, solicited := x.front()
		if solicited && p.kind == own {
			x.pop()
			p.reply <- r
			continue
		}
		if r.code == 354 { // nobody was asked for content
			return violated("origin asks for content after a command that is not DATA")
		}
		if p.kind == hello {
			r.text = conceal(r.text)
		}
		if err := x.say(r.text); err != nil {
			return err
		}
		if solicited {
			x.effect(p, r.code)
		}
	}
}

// reply reads a reply of any number of lines (RFC 5321, Section 4.2.1).
func (x *session) reply() (r reply, err error) {
	for {
		line, err := x.origin.next()
		if err != nil {
			if err == io.EOF && len(r.text) > 0 {
				err = io.ErrUnexpectedEOF
			}
			return r, err
		}
		if len(line) < 3 || len(line) > 3 && line[3] != ' ' && line[3] != '-' {
			return r, violated("origin sends a malformed reply")
		}
		code := 0
		for _, c := range line[:3] {
			if c < '0' || c > '9' {
				return r, violated("origin sends a malformed reply")
			}
			code = 10*code + int(c-'0')
		}
		if len(r.text) > 0 && code != r.code {
			return r, violated("origin changes the code within a reply")
		}
		r.code = code
		r.text = append(append(r.text, line...), "\r\n"...)
		switch {
		case len(r.text) > maxReply:
			return r, violated("origin's reply is too long")
		case len(line) == 3 || line[3] == ' ':
			return r, nil
		}
	}
}

// conceal takes extensions out of the reply to EHLO by which content would come
// past us.
func conceal(text []byte) []byte {
	var kept [][]byte
	for i, line := range bytes.SplitAfter(bytes.TrimSuffix(text, []byte("\r\n")), []byte("\r\n")) {
		line = bytes.TrimSuffix(line, []byte("\r\n"))
		if len(line) > 4 && i > 0 {
			if name, _ := word(line[4:]); name == "BURL" || name == "XEXCH50" || name == "STARTTLS" {
				continue
			}
		}
		kept = append(kept, line)
	}
	out := make([]byte, 0, len(text))
	for i, line := range kept {
		if len(line) > 3 {
			line[3] = '-'
			if i == len(kept)-1 {
				line[3] = ' '
			}
		}
		out = append(append(out, line...), "\r\n"...)
	}
	return out
}

// say writes to the client.
func (x *session) say(p []byte) error {
	x.writing.Lock()
	defer x.writing.Unlock()
	_, err := x.toOne.Write(p)
	return err
}

// answer says a reply of our own.
func (x *session) answer(code int, format string, args ...any) error {
	return x.say(fmt.Appendf(nil, "%d %s\r\n", code, fmt.Sprintf(format, args...)))
}

// command sends a command to the origin.
func (x *session) command(p pending, line string) error {
	x.mu.Lock()
	for len(x.queue) >= maxPending && x.over == nil {
		x.cond.Wait()
	}
	over := x.over
	x.queue = append(x.queue, p)
	x.mu.Unlock()
	if over != nil {
		return over
	}
	_, err := x.toAll.Write([]byte(line))
	return err
}

// front returns the command whose reply comes next, false if there is none.
func (x *session) front() (pending, bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.queue) == 0 {
		return pending{}, false
	}
	return x.queue[0], true
}

func (x *session) pop() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.queue = x.queue[1:]
	x.cond.Broadcast()
}

// effect keeps account of the transaction, and of the reply that AUTH waits for.
func (x *session) effect(p pending, code int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	good := code/100 == 2
	switch {
	case p.kind == mailFrom && good:
		x.rcpts, x.from, x.to = 0, p.arg, nil
	case p.kind == rcptTo && good:
		x.rcpts++
		if len(x.to) < maxRcpts {
			x.to = append(x.to, p.arg)
		}
	case (p.kind == reset || p.kind == hello) && good:
		x.rcpts, x.from, x.to = 0, "", nil
	}
	x.queue = x.queue[1:]
	x.challenged = p.kind == auth && code == 334
	x.cond.Broadcast()
}

// ended tells that no reply comes any more.
func (x *session) ended(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if err == nil {
		err = errOver
	}
	x.over = err
	for _, p := range x.queue {
		if p.reply != nil {
			close(p.reply)
		}
	}
	x.queue = nil
	x.cond.Broadcast()
}

// drain waits until every command has its reply.
func (x *session) drain() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	for len(x.queue) > 0 && x.over == nil {
		x.cond.Wait()
	}
	return x.over
}

// ask sends a command of our own and returns the origin's reply.
func (x *session) ask(line string) (reply, error) {
	p := pending{kind: own, reply: make(chan reply, 1)}
	if err := x.command(p, line); err != nil {
		return reply{}, err
	}
	r, ok := <-p.reply
	if !ok {
		return r, errOver
	}
	return r, nil
}

// address returns what stands in the brackets of MAIL FROM:<...> or RCPT TO.
func address(rest []byte) string {
	_, path, _ := strings.Cut(string(rest), ":")
	path = strings.TrimLeft(path, " \t")
	if inner, ok := strings.CutPrefix(path, "<"); ok {
		path, _, _ = strings.Cut(inner, ">")
	} else {
		path, _, _ = strings.Cut(path, " ")
	}
	return path
}
