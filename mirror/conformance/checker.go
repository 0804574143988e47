package conformance

import (
	"fmt"
	"time"
)

// Options says how strict a Checker is, and how much it remembers.
type Options struct {
	// MTU is the longest packet, IP header included, in octets. 0: 1500.
	MTU int
	// Cut says that the capture begins and ends in the middle of traffic, as one
	// of a running port does. Conversations that began before or did not end are
	// counted and no defect, unless none at all began in it.
	Cut bool
	// Conversations is how many are followed at a time. 0: 65,536, which takes
	// at most 190 MB, and what the collector adds.
	Conversations int
}

const (
	defaultMTU           = 1500
	defaultConversations = 1 << 16
	minFrame             = 60 // octets without FCS, IEEE 802.3, 4A.2.3.2.4
	maxUnacked           = 64 << 10
)

// moment is a frame of the capture.
type moment struct {
	frame uint64 // from 1; 0: none
	at    time.Time
}

// Checker judges the frames of one capture. It is not safe for concurrent use.
type Checker struct {
	options Options
	now     moment
	first   time.Time
	packet  packet
	table   table
	report  Report

	judged    [ruleCount]uint64
	count     [ruleCount]uint64
	firstHits [ruleCount][]Occurrence

	opened   uint64 // conversations whose handshake is whole
	cut      []Occurrence
	sameISN  [2]isnRun
	finished bool
}

// New returns a checker that has seen nothing.
func New(options Options) *Checker {
	if options.MTU <= 0 {
		options.MTU = defaultMTU
	}
	if options.Conversations <= 0 {
		options.Conversations = defaultConversations
	}
	c := &Checker{options: options}
	c.table.init(options.Conversations)
	return c
}

// Add judges the next frame of the capture: the octets captured, how many it
// had on the wire (at least len(frame); 0 says the same), and when it was
// captured (the zero time: not known). It borrows frame until it returns, and does not allocate for a
// frame of a conversation that is followed and breaks no rule.
func (c *Checker) Add(frame []byte, wire int, at time.Time) {
	if at.IsZero() {
		at = c.now.at
	}
	if c.now.frame == 0 {
		c.first = at
	}
	before := c.now.at
	c.now = moment{c.now.frame + 1, at}
	c.judgeClock(before)
	p := &c.packet
	kind, why := p.decode(frame, wire)
	c.judged[Frame]++
	c.judged[Snap]++
	c.judged[Other]++
	if p.wire > len(frame) {
		if o := c.hit(Snap, nil, 0); o != nil {
			o.Text = fmt.Sprintf("%d of %d octets captured", len(frame), p.wire)
		}
		if kind == isBroken {
			return // for that reason
		}
	}
	switch kind {
	case isBroken:
		if o := c.hit(Frame, nil, 0); o != nil {
			o.Text = why
		}
	case isOther:
		if o := c.hit(Other, nil, 0); o != nil {
			o.Text = "not TCP"
			if why != "" {
				o.Text = why + ": the packets within it are not judged"
			}
		}
	case isFragment:
		c.judged[Fragment]++
		if o := c.hit(Fragment, nil, 0); o != nil {
			o.Flow = fmt.Sprintf("%s > %s", p.source.addrPort().Addr(), p.dest.addrPort().Addr())
			o.Text = "piece of a TCP segment"
		}
	default:
		c.report.TCP++
		c.judgeFrame(p)
		conversation, dir := c.conversation(p)
		c.judgeSegment(conversation, dir, p)
	}
}

// judgeClock holds the time of the present frame against that of the one before.
func (c *Checker) judgeClock(before time.Time) {
	c.judged[CaptureTime]++
	c.judged[CaptureOrder]++
	if c.now.frame == 1 || !c.now.at.Before(before) {
		return
	}
	back, rule := before.Sub(c.now.at), CaptureOrder
	if back >= time.Second {
		rule = CaptureTime
	}
	if o := c.hit(rule, nil, 0); o != nil {
		o.Text = fmt.Sprintf("%v before the frame in front of it", back)
	}
}

// hit counts a broken rule at the present frame, and returns the entry to fill
// in if it is among the first, else nil. v may be nil.
func (c *Checker) hit(rule Rule, v *conversation, dir int) *Occurrence {
	return c.hitAt(rule, v, dir, c.now)
}

// hitAt is hit for a frame that has passed.
func (c *Checker) hitAt(rule Rule, v *conversation, dir int, at moment) *Occurrence {
	c.count[rule]++
	if len(c.firstHits[rule]) >= maxOccurrences {
		return nil
	}
	c.firstHits[rule] = append(c.firstHits[rule], occurrence(v, dir, at))
	return &c.firstHits[rule][len(c.firstHits[rule])-1]
}

func occurrence(v *conversation, dir int, at moment) Occurrence {
	o := Occurrence{Frame: at.frame, Time: at.at}
	if v != nil {
		o.Flow = v.flow(dir)
	}
	return o
}

// hitPacket is hit for a rule that is looked at before the conversation is
// known.
func (c *Checker) hitPacket(rule Rule, p *packet) *Occurrence {
	o := c.hit(rule, nil, 0)
	if o != nil {
		o.Flow = p.flow()
	}
	return o
}

func (p *packet) flow() string { return flow(p.source, p.dest, p.vlan) }

func flow(from, to endpoint, vlan uint16) string {
	s := fmt.Sprintf("%s > %s", from.addrPort(), to.addrPort())
	if vlan != 0 {
		s += fmt.Sprintf(" VLAN %d", vlan)
	}
	return s
}
