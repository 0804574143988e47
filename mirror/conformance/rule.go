package conformance

// Rule is one thing that a feed must keep to. Its numbers may change from
// version to version; the identifier, [Rule.String], does not.
type Rule uint8

// The rules, in the order of a report.
const (
	Frame Rule = iota
	Snap
	CaptureTime
	CaptureOrder
	Duplicate
	MTU
	Runt
	Padding
	MACZero
	MACLoopback
	MACGroup
	IPSum
	IPLength
	IP6Length
	Fragment
	DF
	IPID
	TCPSum
	PartialSum

	Handshake
	SYNOptions
	ISN
	Reuse
	OneSided
	Gap
	Order
	Retransmission
	Overlap
	Conflict
	AckBeforeData
	NoAck
	Unacked
	Window
	WindowFull
	TCPTime
	AfterEnd
	End

	TLSHello
	TLSPort
	Port
	STARTTLS
	TLS
	HTTP2
	Other

	ruleCount
)

// Kind says what a broken rule means for a feed.
type Kind uint8

const (
	Defect Kind = iota // the feed is not ready
	Note               // worth knowing
)

// subject is what a rule's count of looks is a count of.
type subject string

const (
	frames        subject = "frames"
	conversations subject = "conversations"
	directions    subject = "directions"
)

// ruleInfo describes a rule.
type ruleInfo struct {
	id      string
	kind    Kind
	of      subject
	title   string // what holds when the rule is kept
	meaning string // what recorders do when it is broken
}

var ruleInfos = [ruleCount]ruleInfo{
	Frame: {"frame", Defect, frames, "every frame can be taken apart",
		"A header that runs past its frame or contradicts itself: tshark calls the frame malformed, Zeek and Suricata drop it."},
	Snap: {"snap", Defect, frames, "every frame was captured whole",
		"The capture cut frames short (snap length): recorders lose the octets after the cut, and cannot verify checksums."},
	CaptureTime: {"capture-time", Defect, frames, "capture times do not run back by a second",
		"Zeek and Suricata take their clock from the capture: timers fire wrongly; tshark shows negative times."},
	CaptureOrder: {"capture-order", Note, frames, "capture times do not run back at all",
		"By less than a second: several writers, or frames shown late with their true time; tshark shows negative times (reordercap mends a file)."},
	Duplicate: {"duplicate", Defect, frames, "no frame appears twice",
		"The feed reaches the recorder on two paths: every counter doubles, tshark reports retransmissions everywhere."},
	MTU: {"mtu", Defect, frames, "packets fit the MTU",
		"Network ports drop larger packets, and recorders with a snap length of 1514 cut them. Often receive offload merged frames at the recorder."},
	Runt: {"runt", Defect, frames, "no frame is under 60 octets",
		"A network port pads such a frame, and tcpflow appends the padding to the stream."},
	Padding: {"padding", Defect, frames, "no padding follows a packet",
		"tcpflow appends the padding to the stream; other readers must tell it from data by the IP length."},
	MACZero: {"mac-zero", Defect, frames, "no MAC address is zero",
		"Switches drop frames with such an address, and Arkime and Zeek log it as the host's."},
	MACLoopback: {"mac-loopback", Defect, frames, "no frame begins with 02:00:00:00",
		"chaosreader takes these octets for a loopback header and finds no session."},
	MACGroup: {"mac-group", Defect, frames, "no source MAC address is a multicast one",
		"Switches and bridges on the way drop frames with such a source (IEEE 802.3, 3.2.3)."},
	IPSum: {"ip-sum", Defect, frames, "IPv4 header checksums are good",
		"Zeek silently ignores the frame, Suricata skips it; only what remains is recorded."},
	IPLength: {"ip-length", Defect, frames, "IPv4 total length agrees with the frame",
		"If the length exceeds the frame, readers drop the packet as truncated. Octets after the packet are lost or, with tcpflow, appear in the stream."},
	IP6Length: {"ip6-length", Defect, frames, "IPv6 payload length agrees with the frame",
		"Recorders treat the packet as truncated, or its end as padding: data are missing in every packet."},
	Fragment: {"fragment", Defect, frames, "no packet is an IP fragment",
		"tcpflow and chaosreader do not join fragments; others need every piece of it in time."},
	DF: {"df", Note, frames, "IPv4 packets have DF set",
		"Real hosts set it on TCP; passive fingerprints change without it, recording does not."},
	IPID: {"ip-id", Note, directions, "IPv4 identification counts",
		"All packets of a direction have the same identification: packet brokers and deduplicating recorders may treat frames as repeated."},
	TCPSum: {"tcp-sum", Defect, frames, "TCP checksums are good",
		"Zeek silently ignores the frame, Suricata keeps it out of the stream; only what remains is recorded."},
	PartialSum: {"partial-sum", Defect, frames, "no TCP checksum is left to hardware",
		"The checksum covers the pseudo header only: checksum offload was on where the frame was captured or sent. Zeek ignores the frame."},

	Handshake: {"handshake", Defect, conversations, "conversations begin with SYN, SYN-ACK, ACK",
		"Suricata does not reassemble without it (midstream is off), Zeek guesses who the client is, timestamps and window scale are unknown."},
	SYNOptions: {"syn-options", Note, directions, "SYNs announce an MSS that fits the MTU",
		"No recorder loses data, but fingerprints (JA4T, p0f) show a host that does not exist; an MSS over the MTU announces segments that a port drops."},
	ISN: {"isn", Note, directions, "initial sequence numbers differ",
		"The same number for every conversation: sessions on reused ports are hard to tell apart for recorders that saw no end."},
	Reuse: {"reuse", Defect, conversations, "ports are used again only after an end",
		"A SYN in an open conversation: recorders join the two sessions or ignore the second until a time-out."},
	OneSided: {"one-sided", Defect, conversations, "both directions are present",
		"Suricata and Zeek need both for protocol detection; HTTP answers without requests are not logged."},
	Gap: {"gap", Defect, directions, "no octets are missing",
		"The frames were lost before or at the recorder: Zeek logs a content gap and stops the analyzer of that direction, tshark loses the object."},
	Order: {"order", Defect, frames, "segments come in sequence",
		"tshark loses the HTTP object whose first segment is late (tcp.reassemble_out_of_order is off); others reassemble, within limits."},
	Retransmission: {"retransmission", Note, frames, "no segment is repeated",
		"Recorders drop the copy, tshark flags it. A feed made from cleartext does not need it."},
	Overlap: {"overlap", Defect, frames, "no segment begins in octets already sent",
		"Recorders trim the segment, each by its own policy. tshark treats it as a retransmission and may lose its new octets."},
	Conflict: {"conflict", Defect, frames, "octets sent twice are the same",
		"The recorder and its policy for the host decide which copy is recorded. Suricata and Zeek raise an alarm about evasion."},
	AckBeforeData: {"ack-before-data", Defect, frames, "no acknowledgement comes before its data",
		"tshark loses the HTTP object at the first one. Zeek treats the data as missing and discards them when they come."},
	NoAck: {"no-ack", Defect, directions, "data are acknowledged",
		"Suricata (not inline) inspects only what was acknowledged: it sees nothing until the conversation ends or its limit is reached."},
	Unacked: {"unacked", Defect, frames, "at most 64 KiB are unacknowledged",
		"Suricata and Zeek hold unacknowledged data in memory and drop them at their limits."},
	Window: {"window", Defect, frames, "data stay within the window",
		"Suricata drops segments outside of the window (stream.pkt_invalid), so that their octets are missing."},
	WindowFull: {"window-full", Defect, frames, "no segment fills the window exactly",
		"tshark flags every one as [TCP Window Full], which hides true trouble."},
	TCPTime: {"tcp-time", Defect, frames, "TCP timestamps do not run backwards",
		"Suricata drops the segment as wrapped (PAWS, RFC 7323, Section 5): its octets are missing."},
	AfterEnd: {"after-end", Defect, frames, "no data follow FIN or RST",
		"Recorders have closed the conversation. Zeek and Suricata ignore these octets, or start another conversation without a handshake."},
	End: {"end", Defect, conversations, "conversations end by FIN both ways or RST",
		"Recorders keep the conversation open until a time-out: Arkime and Zeek log it minutes late and without an end."},

	TLSHello: {"tls-hello", Defect, conversations, "no ClientHello stands before cleartext",
		"Zeek and Suricata recognise TLS by the first octets and do not read the cleartext after them."},
	TLSPort: {"tls-port", Defect, conversations, "cleartext is not on a port of TLS",
		"tshark gives the port to its dissector of TLS, which reads HTTP/1 and SIP only; port-based recorders do not decode it. Map the port (465 to 25, 8883 to 1883, HTTP/2 on 443 to 80)."},
	Port: {"port", Defect, conversations, "known protocols are on a port where they are read",
		"tshark gives the port to another dissector, or shows octets as data, and does not recognise the protocol. Map the port (HTTP/2 on 8443 to 80, IMAP on 1993 to 143)."},
	STARTTLS: {"starttls", Defect, conversations, "no granted STARTTLS stands before cleartext",
		"Zeek (SMTP, IMAP, POP3, FTP) and Suricata (SMTP) expect TLS after it and stop reading: the mail is not recorded."},
	TLS: {"tls", Note, conversations, "conversations are cleartext",
		"The conversation is TLS from one end to the other: tunneled, not decrypted; recorders log the handshake only."},
	HTTP2: {"http2", Note, conversations, "no conversation is HTTP/2",
		"Zeek has no analyzer for HTTP/2, Arkime follows its first streams only; tshark and Suricata read it."},
	Other: {"other", Note, frames, "all frames are TCP",
		"Frames of other protocols; not judged."},
}

// Rules returns all rules in the order of a report.
func Rules() []Rule {
	all := make([]Rule, ruleCount)
	for i := range all {
		all[i] = Rule(i)
	}
	return all
}

// String returns the rule's identifier, such as "ack-before-data".
func (r Rule) String() string { return r.info().id }

// Kind says whether a feed that breaks the rule is ready all the same.
func (r Rule) Kind() Kind { return r.info().kind }

// Title says what holds when the rule is kept.
func (r Rule) Title() string { return r.info().title }

// Meaning says what recorders do when the rule is broken.
func (r Rule) Meaning() string { return r.info().meaning }

func (r Rule) info() ruleInfo {
	if r < ruleCount {
		return ruleInfos[r]
	}
	return ruleInfo{id: "unknown"}
}
