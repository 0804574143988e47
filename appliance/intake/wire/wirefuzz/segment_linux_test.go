package wirefuzz

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
)

// Segment is a step: a TCP segment as the attacker sends it. The zero value of each
// field but Flags is what a well-behaved sender does.
type Segment struct {
	After int  `json:",omitempty"` // ms to wait first
	Await bool `json:",omitempty"` // first wait for a frame of the peer that was not awaited yet, see awaitLimit

	Rash bool `json:",omitempty"` // do not wait for the SYN-ACK, as the client's first segment after its SYN does

	Life   int    `json:",omitempty"` // 1: of another connection with the same addresses and ports
	Flags  string // letters of flagLetters; empty: none
	Seq    int64  `json:",omitempty"` // added to what is right
	Ack    int64  `json:",omitempty"` // likewise
	Text   string `json:",omitempty"` // payload: a name of texts
	From   int    `json:",omitempty"` // the octets of the text that are sent
	To     int    `json:",omitempty"` // 0: to its end
	Window int    `json:",omitempty"` // 0: 65000; -1: none
	Urgent int    `json:",omitempty"` // pointer
	Time   string `json:",omitempty"` // timestamp: none, old, future, zero, odd (another layout); empty: right
	Option string `json:",omitempty"` // more TCP options, in hexadecimal
	BadSum bool   `json:",omitempty"`
	Words  int    `json:",omitempty"` // added to the length of the TCP header
	TFO    bool   `json:",omitempty"` // with a cookie request of TCP Fast Open

	TTL       int      `json:",omitempty"` // 0: 64; -1: 0
	IPOption  string   `json:",omitempty"` // IPv4 options in hexadecimal
	Headers   []string `json:",omitempty"` // IPv6 extension headers: names of extensions
	BadIPSum  bool     `json:",omitempty"`
	Mapped    bool     `json:",omitempty"` // IPv4: in an IPv6 packet with mapped addresses
	Version   int      `json:",omitempty"` // of the IP header
	Length    int      `json:",omitempty"` // added to the length in the IP header
	Trailer   int      `json:",omitempty"` // octets behind the packet
	Fragments []int    `json:",omitempty"` // where the IP payload is cut; nil: not
	Reverse   bool     `json:",omitempty"` // last fragment first
	Cover     string   `json:",omitempty"` // another copy of each fragment but the first, with this text, is sent before

	MAC  string   `json:",omitempty"` // broadcast, group, other: the destination's; from other: the sender's; empty: both right
	Tags []uint32 `json:",omitempty"` // protocol << 16 | control information
	SNAP bool     `json:",omitempty"` // in an 802.3 frame
}

// Case is a sequence of segments that one end sends.
type Case struct {
	Origin bool   `json:",omitempty"` // the origin attacks; otherwise the client
	V6     bool   `json:",omitempty"`
	Port   int    `json:",omitempty"` // of the origin; 0: 443
	Stamps bool   `json:",omitempty"` // segments carry timestamps
	Bare   bool   `json:",omitempty"` // SYN and SYN-ACK carry no other options
	Wrap   bool   `json:",omitempty"` // sequence numbers wrap amid the text
	Hello  string `json:",omitempty"` // what the client says where the origin attacks; empty: evil
	Must   string `json:",omitempty"` // a text that has to arrive; the client sends again what is not acknowledged
	Steps  []Segment
}

// flagLetters are the flags of a TCP header, by bit.
const flagLetters = "FSRPAUEC"

func flagBits(letters string) (bits byte) {
	for _, l := range letters {
		if i := strings.IndexRune(flagLetters, l); i >= 0 {
			bits |= 1 << i
		}
	}
	return bits
}

// has reports whether a segment has all the flags.
func (s *Segment) has(letters string) bool {
	return flagBits(s.Flags)&flagBits(letters) == flagBits(letters)
}

// String draws the case, one line for each segment.
func (c *Case) String() string {
	var b strings.Builder
	var about []string
	if c.V6 {
		about = append(about, "IPv6")
	} else {
		about = append(about, "IPv4")
	}
	who := "client"
	if c.Origin {
		who = "origin"
		about = append(about, "client says "+c.hello())
	}
	if c.Port != 0 {
		about = append(about, fmt.Sprintf("port %d", c.Port))
	}
	for _, w := range []struct {
		set  bool
		word string
	}{{c.Stamps, "timestamps"}, {c.Bare, "no other options"}, {c.Wrap, "numbers wrap"}, {c.Must != "", "must deliver " + c.Must}} {
		if w.set {
			about = append(about, w.word)
		}
	}
	fmt.Fprintf(&b, "%s attacks: %s\n", who, strings.Join(about, ", "))
	for i := range c.Steps {
		fmt.Fprintf(&b, "  %s %s\n", who, &c.Steps[i])
	}
	text, err := json.Marshal(c)
	if err != nil {
		text = []byte(err.Error())
	}
	return b.String() + "  " + string(text)
}

func (c *Case) hello() string {
	if c.Hello == "" {
		return "evil"
	}
	return c.Hello
}

// String draws one segment: flags, sequence number from the first payload octet on,
// length and text, then every field that is not what it usually is.
func (s *Segment) String() string {
	var b strings.Builder
	flags := s.Flags
	if flags == "" {
		flags = "-"
	}
	from, to := s.octets()
	seq := int64(from) + s.Seq
	fmt.Fprintf(&b, "%-4s seq %-3d len %-3d", flags, seq, to-from)
	if s.Text != "" {
		fmt.Fprintf(&b, " %s[%d:%d]", s.Text, from, to)
	}
	v := reflect.ValueOf(*s)
	for i := range v.NumField() {
		switch name := v.Type().Field(i).Name; name {
		case "Flags", "Text", "From", "To":
		default:
			if !v.Field(i).IsZero() {
				fmt.Fprintf(&b, " %s=%v", strings.ToLower(name), v.Field(i))
			}
		}
	}
	return b.String()
}

// octets returns the bounds of the payload in its text. They are always within it.
func (s *Segment) octets() (from, to int) {
	n := len(texts[s.Text])
	from = max(0, min(s.From, n))
	to = s.To
	if to <= 0 || to > n {
		to = n
	}
	return from, max(from, to)
}

// body returns the payload.
func (s *Segment) body() []byte {
	from, to := s.octets()
	return texts[s.Text][from:to]
}
