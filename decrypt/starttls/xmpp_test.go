package starttls

import (
	"strings"
	"testing"

	"github.com/clearspan/clearspan/decrypt/sniff"
)

const (
	xmppClient   = "C: <?xml version='1.0'?><stream:stream to='example.test' xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' version='1.0'>"
	xmppOrigin   = "O: <?xml version='1.0'?><stream:stream xmlns:stream='http://etherx.jabber.org/streams' version='1.0' from='example.test' id='a>b' xmlns='jabber:client'>"
	xmppOffer    = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>"
	xmppFeatures = "O: <stream:features>" + xmppOffer + "<mechanisms xmlns='urn:ietf:params:xml:ns:xmpp-sasl'><mechanism>PLAIN</mechanism></mechanisms></stream:features>"
	xmppAsk      = "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
	xmppProceed  = "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"
)

func TestXMPP(t *testing.T) {
	begin := []string{xmppClient, xmppOrigin, xmppFeatures}
	with := func(more ...string) []turn { return octets(t, append(begin[:3:3], more...)...) }
	long := "<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls' x=\"" + strings.Repeat(">", 5000) + "\"/>"
	upgraded := [2][]string{{xmppAsk}, {xmppOffer, xmppProceed}}
	tests := []scenario{
		{name: "prosody, upgrade", turns: with("C: "+xmppAsk, "O: "+xmppProceed),
			state: Upgraded, offered: true, offer: Accepted, hidden: upgraded},
		{name: "a line end behind the command", turns: with("C: "+xmppAsk+"\n", "O: "+xmppProceed),
			state: Upgraded, offered: true, offer: Accepted, hidden: [2][]string{{xmppAsk + "\n"}, upgraded[1]}},
		{name: "offered, not used", turns: with("C: <auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>AGE=</auth>",
			"O: <success xmlns='urn:ietf:params:xml:ns:xmpp-sasl'/>", "C: "+xmppAsk, "O: "+xmppProceed),
			state: Done, offered: true, offer: Offered, hidden: [2][]string{nil, {xmppOffer}}},
		{name: "not offered", turns: octets(t, xmppClient, xmppOrigin, "O: <stream:features><mechanisms/></stream:features>"), offer: Omitted},
		{name: "no features at all", turns: octets(t, xmppClient, xmppOrigin, "O: <stream:features/>"), offer: Omitted},
		{name: "refused", turns: with("C: "+xmppAsk, "O: <failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>", "O: </stream:stream>"),
			offered: true, offer: Refused,
			hidden: [2][]string{{xmppAsk}, {xmppOffer, "<failure xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"}}},
		{name: "tags that open and close, a prefix", turns: with("C: <t:starttls xmlns:t='urn:ietf:params:xml:ns:xmpp-tls'> </t:starttls>", "O: <proceed></proceed>"),
			state: Upgraded, offered: true, offer: Accepted,
			hidden: [2][]string{{"<t:starttls xmlns:t='urn:ietf:params:xml:ns:xmpp-tls'> </t:starttls>"}, {xmppOffer, "<proceed></proceed>"}}},
		{name: "the word elsewhere", turns: with("C: <message><starttls/></message><!-- <starttls/> --><![CDATA[<starttls/>]]>&lt;starttls/&gt;<x y='<starttls/>'/>",
			"O: <message><proceed/><features><starttls/></features></message>"),
			offered: true, offer: Offered, hidden: [2][]string{nil, {xmppOffer}}},
		{name: "stanza behind the command", turns: with("C: " + xmppAsk + "<iq/>"), state: Violation,
			offered: true, offer: Offered, hidden: [2][]string{{xmppAsk}, {xmppOffer}}, pending: [2]string{"<iq/>", ""}},
		{name: "stanza behind the answer", turns: with("C: "+xmppAsk, "O: "+xmppProceed+"<iq/>"), state: Violation,
			offered: true, offer: Offered, hidden: upgraded, pending: [2]string{"", "<iq/>"}, oneRead: true},
		{name: "a long command", turns: with("C: "+long, "O: "+xmppProceed), state: Upgraded,
			offered: true, offer: Accepted, hidden: [2][]string{nil, {xmppOffer, xmppProceed}}},
		{name: "a DTD", turns: octets(t, "C: <!DOCTYPE x [<!ENTITY y 'z'>]>"), state: Done},
		{name: "an end before a beginning", turns: octets(t, "C: </a></b><starttls/>", "O: </a><proceed/>")},
	}
	for _, tt := range tests {
		tt.protocol = sniff.XMPP
		t.Run(tt.name, func(t *testing.T) { tt.run(t) })
	}
}
