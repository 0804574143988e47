package web

import (
	"slices"

	"github.com/clearspan/clearspan/appliance/service/web/adapt"
	"github.com/clearspan/clearspan/appliance/service/web/buffered"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/decrypt/proto"
	"github.com/clearspan/clearspan/decrypt/sniff"
)

// mayPass reports whether a session that is not HTTP may go on with what one side
// sends. Of [adapt.Known], the first octets of the side decide. They wait until then.
func (x *session) mayPass(side adapt.Kind) bool {
	switch x.Config.Foreign {
	case adapt.Block:
		return false
	case adapt.Known:
	default:
		x.Bypass()
		return true
	}
	end := x.Client
	if side == adapt.Response {
		end = x.Origin
	}
	for {
		passes, more := x.known(side, end.Unread())
		if !more {
			if passes {
				x.Bypass()
			}
			return passes
		}
		if end.Fill() != nil {
			return false
		}
	}
}

// known reports whether the first octets of one side are of a protocol that may pass. The
// side that speaks first tells the protocol, the other one must fit it.
func (x *session) known(side adapt.Kind, p []byte) (passes, more bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.foreign == sniff.Unknown {
		if x.foreign = followed(x.Account); x.foreign != sniff.Unknown {
			return true, false
		}
		if side == adapt.Request {
			x.foreign, more = sniff.Begins(p)
		} else {
			x.foreign, more = sniff.Origin(p)
		}
		return !more && x.lets(x.foreign), more
	}
	if followed(x.Account) != sniff.Unknown {
		return true, false
	}
	dir := proto.ClientToOrigin
	if side == adapt.Response {
		dir = proto.OriginToClient
	}
	passes, more = sniff.Fits(x.foreign, dir, p)
	return passes && x.lets(x.foreign), more
}

// lets reports whether sessions of a protocol may pass beside the services.
func (x *session) lets(p sniff.Protocol) bool {
	switch p {
	case sniff.Unknown, sniff.TLS, sniff.HTTP, sniff.HTTP2:
		return false
	}
	return !slices.Contains(x.Config.Own, p.String())
}

// followed returns the protocol of a plain dialogue behind which a session turned to TLS.
func followed(s *decrypt.Session) sniff.Protocol {
	switch p := sniff.Named(s.Protocol); p {
	case sniff.TLS, sniff.HTTP, sniff.HTTP2:
		return sniff.Unknown
	default:
		return p
	}
}

// unread carries a session that is not HTTP.
type unread struct{ *adapt.Session }

// FromClient passes the client's octets.
func (u unread) FromClient() { u.relay(u.Origin, u.Client) }

// FromOrigin passes the origin's octets.
func (u unread) FromOrigin() { u.relay(u.Client, u.Origin) }

func (u unread) relay(to, from *buffered.End) {
	if err := buffered.Relay(to, from); err != nil {
		u.Fail(err)
	}
}

// Fail resets both ends.
func (u unread) Fail(err error) {
	if u.End(err) {
		u.Abort()
	}
}

// Close has nothing to do.
func (u unread) Close() {}
