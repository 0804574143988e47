package dissect

import (
	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/proto/imap"
)

// imapReader follows IMAP (RFC 9051). Behind COMPRESS (RFC 4978) it takes the octets as they
// were before they were deflated, and as they came if somebody asks for contents. A message is what a client fetches as a whole, or
// from its first octet on, and what it appends to a mailbox.
type imapReader struct {
	s         *Session
	watch     *imap.Watch[struct{}]
	logins    logins
	verb      imap.Verb  // of the client's command at hand
	mailbox   bool       // its next literal is the name of a mailbox
	joined    bool       // its literals are parts of a message (RFC 4469)
	name      []byte     // of a user, in a literal
	naming    bool       // the literal at hand is that
	letters   [2]*letter // under way
	following bool       // the server's literal at hand is a message
	fetches   *fetches   // nil: nobody asks for contents
	deflated  [2]*deflated
	spoke     bool // the client has said something
	mute      bool // and what it said first was lost
}

func newIMAP(s *Session) *imapReader {
	x := &imapReader{s: s, watch: imap.NewWatch[struct{}]()}
	if s.contents != nil {
		x.fetches = &fetches{s: s}
		x.watch.Quoted = x.fetches.quoted
		x.watch.Keep(maxResponse)
	}
	return x
}

func (x *imapReader) data(dir proto.Direction, p []byte) Cause {
	if dir == proto.ClientToOrigin {
		if x.spoke = true; x.mute {
			return StopGap
		}
	}
	if d := x.deflated[dir]; d != nil {
		return d.data(p)
	}
	return x.read(dir, p)
}

// read takes octets that are not deflated.
func (x *imapReader) read(dir proto.Direction, p []byte) Cause {
	plain := x.deflated[dir]
	for len(p) > 0 {
		if d := x.deflated[dir]; d != plain {
			return d.data(p)
		}
		if dir == proto.OriginToClient {
			h, n := x.watch.Server(p)
			p = p[n:]
			x.heard(&h)
			continue
		}
		said, n, ok := x.watch.Client(p)
		p = p[n:]
		if !ok {
			return StopBound
		}
		x.said(&said)
	}
	return reading
}

// said takes what the client says.
func (x *imapReader) said(s *imap.Said) {
	switch {
	case s.What == imap.Octets:
		x.literal(s.Octets, s.End)
		return
	case s.Line == nil:
		return
	case s.What == imap.First:
		x.command(&s.Command)
	case s.What == imap.Reply:
		if x.verb == imap.AUTHENTICATE {
			x.logins.respond(s.Line)
		}
		return
	default:
		x.mailbox = false
		x.joined = x.joined || x.verb == imap.APPEND && imap.Joins(s.Line)
	}
	if s.Announced && s.Literal.Size == 0 && x.carries() {
		x.literal(nil, true)
	}
}

// command takes the first line of a command.
func (x *imapReader) command(c *imap.Command) {
	x.verb, x.naming, x.mailbox, x.joined = c.Verb, false, false, false
	if x.fetches != nil {
		x.fetches.command(c)
	}
	switch c.Verb {
	case imap.LOGIN:
		user, _ := imap.Argument(c.Argument)
		if _, x.naming = imap.ParseLiteral(user); x.naming {
			user = nil
		}
		x.logins.begin(imap.LOGIN.String(), imap.Unquote(user))
	case imap.STARTTLS:
		x.s.turns()
	case imap.AUTHENTICATE:
		x.logins.exchange(c.Argument)
	case imap.APPEND, imap.REPLACE:
		x.mailbox, x.joined = c.Target()
	}
}

// carries reports whether the client's literal at hand is a message.
func (x *imapReader) carries() bool {
	return (x.verb == imap.APPEND || x.verb == imap.REPLACE) && !x.mailbox && !x.joined
}

// literal takes octets of a literal of the client.
func (x *imapReader) literal(p []byte, end bool) {
	switch {
	case x.naming:
		x.name = append(x.name, p[:min(len(p), maxUser-len(x.name))]...)
		if end {
			if open := x.logins.open; len(open) > 0 {
				open[len(open)-1].user = x.name
			}
			x.name, x.naming = nil, false
		}
	case x.carries():
		x.content(proto.ClientToOrigin, p, end)
	}
}

// content takes content of a message, and begins it first if none is under way.
func (x *imapReader) content(dir proto.Direction, p []byte, end bool) {
	if x.letters[dir] == nil {
		x.letters[dir] = newLetter(x.s, dir)
	}
	x.letters[dir].content(x.s, p)
	if end {
		x.finish(dir, Complete)
	}
}

func (x *imapReader) finish(dir proto.Direction, how Ending) {
	if x.letters[dir] != nil {
		x.letters[dir].end(x.s, how)
		x.letters[dir] = nil
	}
}

// heard takes what the server says.
func (x *imapReader) heard(h *imap.Heard[struct{}]) {
	if x.fetches != nil {
		x.fetches.heard(h)
		if h.IsFirst && h.Answer.To == imap.COMPRESS && h.Answer.Status == imap.OK && x.deflated[0] == nil {
			x.compress()
		}
	} else if h.Announced {
		x.following = h.Item.Contents() == imap.Whole && h.Item.Offset == 0
	}
	if h.Fetched && x.following {
		x.content(proto.OriginToClient, h.Octets, h.End)
	}
	if h.IsFirst && (h.Answer.To == imap.LOGIN || h.Answer.To == imap.AUTHENTICATE) {
		x.logins.answered(x.s, h.Answer.Status == imap.OK)
	}
}

func (x *imapReader) gap(dir proto.Direction, n uint64) Cause {
	if dir == proto.ClientToOrigin && !x.spoke { // it may be that nothing of the client is captured
		x.mute = true
		return reading
	}
	if d := x.deflated[dir]; d != nil && (!d.known || d.inflater != nil) {
		return StopGap
	}
	end, ok := false, false
	message := x.carries()
	if dir == proto.ClientToOrigin {
		end, ok = x.watch.LostClient(n)
	} else {
		message, end, ok = x.watch.LostServer(n)
		message = message && x.following
	}
	switch {
	case !ok:
		return StopGap
	case dir == proto.ClientToOrigin && x.naming:
		x.literal(nil, end)
	case dir == proto.OriginToClient && x.fetches != nil:
		x.fetches.lost(n, end)
	case message:
		if x.letters[dir] == nil {
			x.letters[dir] = newLetter(x.s, dir)
		}
		if x.letters[dir].hole(x.s, n); end {
			x.finish(dir, Complete)
		}
	}
	return reading
}

func (x *imapReader) end(dir proto.Direction) {
	x.deflated[dir].end()
	x.finish(dir, Cut)
	if dir == proto.OriginToClient && x.fetches != nil {
		x.fetches.close(Cut)
	}
}

func (x *imapReader) close(how Ending) {
	for _, d := range x.deflated {
		d.close()
	}
	x.finish(proto.ClientToOrigin, how)
	x.finish(proto.OriginToClient, how)
	if x.fetches != nil {
		x.fetches.close(how)
	}
	x.logins.close(x.s)
}
