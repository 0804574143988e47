package scenetest

import (
	"bufio"
	"encoding/json"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/clearspan/clearspan/appliance/facts"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// Entry is the part of an audit entry that tests ask for.
type Entry struct {
	BypassBy string `json:"bypass_by"`

	Session, Intake, SNI, ALPN, Protocol, StartTLS, Related, Rule, Action, Would, Outcome, Reason, Learned, Taught, Notice, Upstream string

	Start string

	Events  []string
	Service map[string]string
	Finding map[string]string `json:"service_finding"`

	Client, Origin, Destination netip.AddrPort
	Transport                   string
	QUIC                        *QUIC
	TLSClient                   *TLSClient        `json:"tls_client"`
	TLSOrigin                   *TLSOrigin        `json:"tls_origin"`
	ForgedSerial                string            `json:"forged_serial"`
	CommunityID                 string            `json:"community_id"`
	Offer                       string            `json:"alpn_offer"`
	Octets                      map[string]uint64 // client_to_origin, origin_to_client
	Frames                      uint64            // of an entry that is about frames
	Mirror                      map[string]struct {
		Frames, Octets, Lost uint64
		Reason               string

		Streams []struct {
			ID   uint32
			Port uint16
		}
		Transcoded *struct {
			Streams, Octets, Lost, Replaced, Raw uint64
			Reason                               string
		}
	} // by sink
	HTTP      []facts.Exchange
	HTTPTotal uint64 `json:"http_total"`
	Mail      []facts.Mail
	MailTotal uint64 `json:"mail_total"`
	Logins    []facts.Login
	Transfers []facts.Transfer
	Flow      struct {
		Client, Origin netip.AddrPort
		Ports          map[string]uint16
	}
}

type QUIC struct {
	Version, Hello string
	Datagrams      int
	Refused        bool
	ALPN           []string
}

type TLSClient struct {
	Version, JA4, Refusal, ECH string
	Resumed                    bool
}

type TLSOrigin struct {
	Version, Verdict, Finding, Revocation string
	Chain                                 string `json:"chain_sha256"`
	Resumed                               bool
}

// Ends are the ports of a client's connection, by which its session is found. The
// client's alone does not tell: the kernel gives it to connections to different
// ports at the same time.
type Ends struct{ Client, Origin uint16 }

// Unknown is a connection of which no more is known than the origin's port, for
// [LocalPort].
func Unknown(origin int) net.Conn { return unknown{origin: origin} }

type unknown struct {
	net.Conn
	origin int
}

func (u unknown) LocalAddr() net.Addr  { return &net.TCPAddr{IP: net.IPv4zero} }
func (u unknown) RemoteAddr() net.Addr { return &net.TCPAddr{IP: net.IPv4zero, Port: u.origin} }

// Between returns the ports of a connection.
func Between(client, origin uint16) Ends { return Ends{client, origin} }

// LocalPort returns the ports of a client's connection, none if it has none.
func LocalPort(conn net.Conn) Ends {
	local, err := netip.ParseAddrPort(conn.LocalAddr().String())
	remote, err2 := netip.ParseAddrPort(conn.RemoteAddr().String())
	if err != nil || err2 != nil {
		return Ends{}
	}
	return Ends{local.Port(), remote.Port()}
}

// Ends returns the ports that a session is found by.
func (e *Entry) Ends() Ends { return Ends{e.Client.Port(), e.Origin.Port()} }

// Shown returns the ports under which a session is on a mirror.
func (e *Entry) Shown(mirror string) Ends {
	if port, ok := e.Flow.Ports[mirror]; ok {
		return Ends{e.Client.Port(), port}
	}
	return e.Ends()
}

// Entries reads the TCP sessions of the audit trail, in the order in which they began:
// entries are written when sessions have ended, which is later than the client may go
// on. Entries about frames that a wire dropped are left out, see [Scene.Dropped]. The
// appliance must have been stopped.
func (c *Scene) Entries() []Entry {
	c.Helper()
	return slices.DeleteFunc(c.trail(), func(e Entry) bool { return e.Outcome == "dropped" || e.QUIC != nil })
}

// QUICFlows reads the QUIC flows of the audit trail, in the order in which they began.
func (c *Scene) QUICFlows() []Entry {
	c.Helper()
	return slices.DeleteFunc(c.trail(), func(e Entry) bool { return e.QUIC == nil })
}

// Dropped returns how many frames a wire dropped, by reason, as the audit trail says.
// The appliance must have been stopped.
func (c *Scene) Dropped() map[string]uint64 {
	c.Helper()
	all := make(map[string]uint64)
	for _, e := range c.trail() {
		if e.Outcome == "dropped" {
			all[e.Reason] += e.Frames
		}
	}
	return all
}

func (c *Scene) trail() []Entry {
	c.Helper()
	f, err := os.Open(filepath.Join(c.Dir, "state", "sessions.jsonl"))
	if err != nil {
		c.Fatal(err)
	}
	defer f.Close()
	var list []Entry
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var e Entry
		if err := json.Unmarshal(lines.Bytes(), &e); err != nil {
			c.Fatalf("audit entry %q: %v", lines.Text(), err)
		}
		list = append(list, e)
	}
	slices.SortStableFunc(list, func(a, b Entry) int { return strings.Compare(a.Start, b.Start) })
	return list
}

// EntryOf returns the entry of a session. Without the client's port it is the only one
// of that origin's port. The origin's port decides between sessions
// of the same client's port; where a proxy is in between it says nothing.
func (c *Scene) EntryOf(entries []Entry, port Ends) Entry {
	c.Helper()
	found := -1
	for i := range entries {
		switch e := entries[i].Ends(); {
		case e.Client != port.Client && port.Client != 0:
		case e.Origin == port.Origin:
			return entries[i]
		case found < 0 && port.Client != 0:
			found = i
		}
	}
	if found < 0 {
		c.Fatalf("no entry for ports %v", port)
	}
	return entries[found]
}

// ConversationOf returns what was recorded of a session. Where sessions to several
// ports share the client's, the audit trail says which port is shown for the one
// meant: the appliance must have been stopped.
func (c *Scene) ConversationOf(recorded []mirrortest.Conversation, port Ends) mirrortest.Conversation {
	c.Helper()
	if v := FindConversation(recorded, port); v != nil {
		return *v
	}
	var others []mirrortest.Conversation
	for _, v := range recorded {
		if v.Client.Port() == port.Client {
			others = append(others, v)
		}
	}
	switch len(others) {
	case 0:
		c.Fatalf("nothing recorded for ports %v", port)
	case 1:
		return others[0]
	}
	e := c.EntryOf(c.Entries(), port)
	for _, mapped := range e.Flow.Ports {
		if v := FindConversation(others, Ends{port.Client, mapped}); v != nil {
			return *v
		}
	}
	c.Fatalf("nothing recorded for ports %v, shown as %v", port, e.Flow.Ports)
	return mirrortest.Conversation{}
}

// FindConversation returns what was recorded between exactly these ends, nil for
// nothing.
func FindConversation(recorded []mirrortest.Conversation, port Ends) *mirrortest.Conversation {
	for i := range recorded {
		if recorded[i].Client.Port() == port.Client && recorded[i].Origin.Port() == port.Origin {
			return &recorded[i]
		}
	}
	return nil
}
