package starttls

// ftp is the grammar of FTP (RFC 959) with AUTH (RFC 2228), as TLS uses it
// (RFC 4217), and FEAT (RFC 2389). A user who has logged in may still ask for TLS,
// so that the dialogue is over only with its connection.
type ftp struct {
	sent  queue
	heard bool    // the origin has sent a reply
	mid   bool    // the origin's reply goes on,
	reply command // which is the one to this
	code  int     // and ends in a line with this code
}

func (x *ftp) holdClient(line []byte) bool { return couldBe(line, "AUTH") }

func (x *ftp) clientLine(d *Dialogue, line []byte) {
	verb, argument := cutWord(line)
	c := other
	switch {
	case is(verb, "AUTH") && isTLS(argument):
		d.mark(0, len(line))
		d.state = Requested
		c = upgrade
	case is(verb, "FEAT"):
		c = capability
	}
	if !x.sent.push(c) {
		d.state = Done
	}
}

// isTLS tells whether a mechanism is TLS: TLS and SSL, TLS-C and TLS-P, and lists
// of these with semicolons.
func isTLS(mechanism []byte) bool {
	for _, name := range []string{"TLS", "SSL"} {
		if len(mechanism) >= len(name) && is(mechanism[:len(name)], name) {
			return true
		}
	}
	return false
}

// expected is the command that the origin's line belongs to.
func (x *ftp) expected() command {
	if x.mid {
		return x.reply
	}
	return x.sent.front()
}

func (x *ftp) holdOrigin(line []byte) bool {
	switch x.expected() {
	case upgrade:
		return true
	case capability:
		return x.mid && couldBe(line, "AUTH")
	}
	return false
}

func (x *ftp) originLine(d *Dialogue, line []byte) {
	code, last, ok := replyLine(line)
	c := x.expected()
	if ok && !x.heard {
		c = greeting
		x.heard = code >= 200 // 120 only says when
	}
	if c == upgrade {
		d.mark(0, len(line))
	}
	if x.mid {
		// Text, up to a line with the code of the first (RFC 959, Section 4.2).
		ok = ok && last && code == x.code
		if word, rest := cutWord(line); !ok && c == capability && is(word, "AUTH") && isTLS(rest) {
			d.offered = true
			d.mark(0, len(line))
		}
	}
	if !ok {
		return
	}
	x.mid, x.reply, x.code = !last, c, code
	if last && code >= 200 { // below, it is a preliminary reply
		x.answer(d, c, code)
	}
}

// answer acts on a complete reply to c.
func (x *ftp) answer(d *Dialogue, c command, code int) {
	switch c {
	case greeting:
		return
	case capability:
		d.omitted = code == 211
	case upgrade:
		if code == 234 {
			d.granted()
		} else {
			d.refuse()
		}
	}
	x.sent.pop()
}
