package mail

import (
	"bytes"
	"fmt"
	"strings"
	"time"

	"github.com/clearspan/clearspan/appliance/service/icap"
)

// judge asks the service about a message, and delivers or withholds it.
func (x *session) judge(c *content, e envelope) error {
	defer x.origin.forget()
	x.messages++
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
	start := time.Now()
	v := x.inspect(c, e)
	defer v.changed.close()
	x.served(v.word, time.Since(start))
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

// verdict is what becomes of a message.
type verdict struct {
	word    string
	why     string   // of WordBlocked
	changed *content // of WordModified
}

// inspect gets the service's verdict on a message.
func (x *session) inspect(c *content, e envelope) verdict {
	res, err := x.cfg.Adapter.Adapt(x.ctx, x.wrap(c, e))
	if err != nil {
		return x.failure(err)
	}
	if res.Body != nil {
		defer res.Body.Close()
	}
	found := res.Detail.Threat()
	if found != "" {
		x.s.Found(x.cfg.Name, found)
	}
	switch {
	case res.Outcome == icap.Unmodified && res.Detail.Bypass != "":
		return verdict{word: WordBypassed}
	case res.Outcome == icap.Unmodified:
		return verdict{word: WordUnmodified}
	case res.Outcome == icap.Blocked || !bytes.HasPrefix(res.Header[min(len(res.Header), 8):], []byte(" 200")):
		v := verdict{word: WordBlocked}
		if found != "" {
			v.why = ": " + found[:min(len(found), 100)]
		}
		return v
	}
	changed := x.newContent(c.dotted)
	if res.Body != nil {
		err = changed.fill(res.Body)
	}
	if err != nil {
		changed.close()
		return x.failure(err)
	}
	return verdict{word: WordModified, changed: changed}
}

func (x *session) failure(error) verdict {
	if x.cfg.FailOpen {
		return verdict{word: WordFailedOpen}
	}
	return verdict{word: WordFailedClosed}
}

// wrap makes a message as the service is shown it, see the package's
// documentation.
func (x *session) wrap(c *content, e envelope) *icap.Message {
	body, n := c.text()
	h := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: message/rfc822\r\nContent-Length: %d\r\nX-Mail-From: %s\r\n", n, field(e.from))
	for _, to := range e.to {
		h = fmt.Appendf(h, "X-Rcpt-To: %s\r\n", field(to))
	}
	return &icap.Message{
		Method:   icap.RESPMOD,
		Request:  fmt.Appendf(nil, "GET http://mail.invalid/%s/%d.eml HTTP/1.1\r\nHost: mail.invalid\r\n\r\n", x.s.ID, x.messages),
		Response: append(h, "\r\n"...),
		Body:     body, Length: n,
		Client: x.s.Client, Server: x.s.Origin,
	}
}

// field makes an address fit into a field: printable, and at most 320 octets.
func field(address string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '?'
		}
		return r
	}, address[:min(len(address), 320)])
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
