package decrypt

import (
	"context"
	"net/netip"
	"time"

	"github.com/clearspan/clearspan/decrypt/policy"
	"github.com/clearspan/clearspan/decrypt/proto/ftp"
)

// protocolData is the word for a data connection of FTP.
const protocolData = "ftp-data"

// watch begins to read the session's octets as those of an FTP control
// connection.
func (j *joint) watch(secured bool) {
	j.control.CompareAndSwap(nil, ftp.NewControl(secured))
}

// announced looks for announcements of data connections in octets that are about to
// be relayed: their ends must not meet before they are expected here.
func (j *joint) announced(c *ftp.Control, dir Direction, p []byte) {
	if j.s.Decision.Action != policy.Bump {
		return
	}
	read := c.Client
	if dir == OriginToClient {
		read = c.Origin
	}
	client, origin := j.s.Client.Addr().Unmap(), j.s.Origin.Addr().Unmap()
	for _, d := range read(p) {
		e := ends{client, netip.AddrPortFrom(origin, d.Port)}
		if d.Active {
			e = ends{origin, netip.AddrPortFrom(client, d.Port)}
		}
		// An address of somebody else is not listened to, nor a port of a service
		// (RFC 2577, Section 3): a server behind NAT may name its private address, a
		// hostile one anybody's.
		if d.Active && d.Address != client || d.Port < 1024 {
			continue
		}
		j.e.expected.add(e, &expected{
			session: j.s.ID, name: j.identity(), decision: j.s.Decision, resumable: j.resumable,
			active: d.Active, protected: d.Protected,
		}, time.Now())
	}
}

// expect finds out whether a session is a data connection that was announced.
func (j *joint) expect(take bool) {
	if j.parent = j.e.expected.find(j.in, j.s.Start, take); j.parent != nil {
		j.s.Related, j.s.Protocol = j.parent.session, protocolData
	}
}

// data takes a data connection. The origin is dialed at once: its end may be waited
// for on the control connection before a word is said on this one. Without
// protection nothing in it is looked at, for a file may begin like anything.
func (j *joint) data(ctx context.Context) error {
	switch action := j.decide(j.facts()); {
	case action == policy.Terminate:
		j.s.Outcome = Terminated
		return fail(reasonPolicy, nil, 0)
	case action == policy.Tunnel, action == policy.TunnelCheck && !j.parent.protected:
		return j.tunnel(ctx)
	}
	j.s.Outcome = Failed
	if err := j.dial(ctx); err != nil {
		return err
	}
	j.begun() // it was announced
	if j.parent.active {
		j.turn()
	}
	if j.parent.protected {
		return j.converse(ctx)
	}
	j.s.Outcome = Passed
	j.open()
	return j.pass(Plain)
}

// turn makes the leg that was dialed the client leg, and the one that came in the
// origin leg: who connects is the FTP server, and the TLS handshake begins at the
// other end. Taps and counters go on to see who connected as the client.
func (j *joint) turn() {
	j.mu.Lock()
	j.client, j.origin = j.origin, j.client
	j.mu.Unlock()
	j.turned = 1
}

// seen is a direction of the legs as taps and counters see it.
func (j *joint) seen(dir Direction) Direction { return dir ^ j.turned }
