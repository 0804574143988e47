package mail

import "fmt"

// judge asks the service about a message, and delivers or withholds it.
func (x *session) judge(c *content, e envelope) error {
	defer x.origin.forget()
	switch {
	case c.ambiguous:
		x.served(WordBlocked, 0)
		return x.withhold(550, "5.5.2 A dot stands alone between bare CR or LF")
	case c.large:
		x.served(WordFailedClosed, 0)
		return x.withhold(552, "5.3.4 Message too big")
	case c.lost != nil:
		x.served(WordFailedClosed, 0)
		return x.withhold(452, "4.3.1 Insufficient storage")
	}
	v := x.examine(shown{content: c, fields: e.fields()})
	defer v.changed.close()
	switch v.word {
	case WordBlocked:
		return x.withhold(554, "5.7.1 Message refused"+v.why)
	case WordFailedClosed:
		return x.withhold(451, "4.7.1 Message cannot be inspected now, try again later")
	case WordModified:
		return x.deliver(v.changed)
	}
	return x.deliver(c)
}

// fields returns header fields about the envelope.
func (e *envelope) fields() []byte {
	h := fmt.Appendf(nil, "X-Mail-From: %s\r\n", field(e.from))
	for _, to := range e.to {
		h = fmt.Appendf(h, "X-Rcpt-To: %s\r\n", field(to))
	}
	return h
}

// withhold has the origin forget the transaction, and answers in its place.
func (x *session) withhold(code int, text string) error {
	if _, err := x.origin.ask("RSET\r\n"); err != nil {
		return err
	}
	return x.client.answer(code, "%s", text)
}

// deliver sends content to the origin, whose reply is the client's.
func (x *session) deliver(c *content) error {
	if !c.dotted {
		if err := x.origin.command(fmt.Sprintf("BDAT %d LAST\r\n", c.length), note{}); err != nil {
			return err
		}
		return x.origin.content(c.raw(), false)
	}
	r, err := x.origin.ask("DATA\r\n")
	switch {
	case err != nil:
		return err
	case r.code != 354:
		return x.client.say(r.text)
	}
	return x.origin.content(c.raw(), true)
}
