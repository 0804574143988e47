package starttls

import (
	"strings"
	"testing"

	"github.com/clearspan/clearspan/decrypt/sniff"
)

// octets reads turns from lines "C: ..." and "O: ..." like [script], in which
// \xNN stands for an octet and nothing is added to a line. A blank line is none.
func octets(t testing.TB, turns ...string) (list []turn) {
	t.Helper()
	for _, s := range turns {
		origin := strings.HasPrefix(s, "O: ")
		if !origin && !strings.HasPrefix(s, "C: ") {
			t.Fatalf("whose turn is %q?", s)
		}
		list = append(list, turn{origin, s[3:]})
	}
	return list
}

const (
	ssl     = "\x00\x00\x00\x08\x04\xd2\x16\x2f"
	gss     = "\x00\x00\x00\x08\x04\xd2\x16\x30"
	cancel  = "\x00\x00\x00\x10\x04\xd2\x16\x2e\x00\x00\x00\x01\x00\x00\x00\x02"
	startup = "\x00\x00\x00\x13\x00\x03\x00\x00user\x00bob\x00\x00"
	hello   = "\x16\x03\x01\x00\x05\x01\x00\x00\x01\x03"
)

func TestPostgreSQL(t *testing.T) {
	asked := [2][]string{{ssl}, nil}
	tests := []scenario{
		{name: "psql, upgrade", turns: octets(t, "C: "+ssl, "O: S"),
			state: Upgraded, offer: Accepted, hidden: [2][]string{{ssl}, {"S"}}},
		{name: "refused", turns: octets(t, "C: "+ssl, "O: N", "C: "+startup, "O: R\x00\x00\x00\x08\x00\x00\x00\x00"),
			state: Done, offer: Refused, hidden: [2][]string{{ssl}, {"N"}}},
		{name: "not asked for", turns: octets(t, "C: "+startup, "O: R\x00\x00\x00\x08\x00\x00\x00\x00"), state: Done},
		{name: "cancel", turns: octets(t, "C: "+cancel), state: Done},
		{name: "GSSAPI first, then TLS", turns: octets(t, "C: "+gss, "O: N", "C: "+ssl, "O: S"),
			state: Upgraded, offer: Accepted, hidden: [2][]string{{ssl}, {"S"}}},
		{name: "GSSAPI granted", turns: octets(t, "C: "+gss, "O: G", "C: \x00\x00\x00\x08token", "O: x"), state: Done},
		{name: "TLS asked for before GSSAPI is answered", turns: octets(t, "C: "+gss+ssl, "O: N", "O: S"),
			state: Upgraded, offer: Accepted, hidden: [2][]string{{ssl}, {"S"}}},
		{name: "an old server's error", turns: octets(t, "C: "+ssl, "O: EFATAL\x00"), state: Done, offer: Refused, hidden: asked},
		{name: "message behind the request", turns: octets(t, "C: "+ssl+startup),
			state: Violation, hidden: asked, pending: [2]string{startup, ""}},
		{name: "hello behind the request", turns: octets(t, "C: "+ssl, "C: "+hello),
			state: Violation, hidden: asked, pending: [2]string{hello, ""}},
		{name: "octets behind the answer", turns: octets(t, "C: "+ssl, "O: SR\x00\x00\x00\x08\x00\x00\x00\x00"),
			state: Violation, offer: Unknown, hidden: [2][]string{{ssl}, {"S"}},
			pending: [2]string{"", "R\x00\x00\x00\x08\x00\x00\x00\x00"}, oneRead: true},
		{name: "no PostgreSQL", turns: octets(t, "C: \x00\x00\x01", "O: what?"), state: Done},
		{name: "half a request", turns: octets(t, "C: "+ssl[:7]), state: Following, pending: [2]string{ssl[:7], ""}},
	}
	for _, tt := range tests {
		tt.protocol = sniff.PostgreSQL
		t.Run(tt.name, func(t *testing.T) { tt.run(t) })
	}
}

// Messages of LDAP; the short form of length and the long one that Windows uses.
const (
	startTLSName = "\x80\x161.3.6.1.4.1.1466.20037"
	ldapStart    = "\x30\x1d\x02\x01\x01\x77\x18" + startTLSName
	ldapLong     = "\x30\x84\x00\x00\x00\x21\x02\x01\x05\x77\x84\x00\x00\x00\x18" + startTLSName
	ldapYes      = "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00"
	ldapNo       = "\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x34\x04\x00\x04\x00"
	ldapBind     = "\x30\x0c\x02\x01\x02\x60\x07\x02\x01\x03\x04\x00\x80\x00"
	ldapBound    = "\x30\x0c\x02\x01\x02\x61\x07\x0a\x01\x00\x04\x00\x04\x00"
	ldapWhoAmI   = "\x30\x1e\x02\x01\x03\x77\x19\x80\x171.3.6.1.4.1.4203.1.11.3"
	ldapUnbind   = "\x30\x05\x02\x01\x04\x42\x00"
)

func TestLDAP(t *testing.T) {
	huge := "\x30\x82\x20\x00\x02\x01\x03\x63\x82\x1f\xf9" + strings.Repeat("\x77", 8185)
	tests := []scenario{
		{name: "OpenLDAP, upgrade", turns: octets(t, "C: "+ldapStart, "O: "+ldapYes),
			state: Upgraded, offer: Accepted, hidden: [2][]string{{ldapStart}, {ldapYes}}},
		{name: "long lengths", turns: octets(t, "C: "+ldapLong, "O: \x30\x84\x00\x00\x00\x0c\x02\x01\x05\x78\x07\x0a\x01\x00\x04\x00\x04\x00"),
			state: Upgraded, offer: Accepted,
			hidden: [2][]string{{ldapLong}, {"\x30\x84\x00\x00\x00\x0c\x02\x01\x05\x78\x07\x0a\x01\x00\x04\x00\x04\x00"}}},
		{name: "refused", turns: octets(t, "C: "+ldapStart, "O: "+ldapNo, "C: "+ldapBind, "O: "+ldapBound),
			state: Following, offer: Refused, hidden: [2][]string{{ldapStart}, {ldapNo}}},
		{name: "behind a bind and a search", turns: octets(t, "C: "+ldapBind, "O: "+ldapBound, "C: "+huge+ldapWhoAmI, "O: "+huge, "C: "+ldapStart, "O: "+ldapYes),
			state: Upgraded, offer: Accepted, hidden: [2][]string{{ldapStart}, {ldapYes}}},
		{name: "answers to others come first", turns: octets(t, "C: "+ldapBind+ldapStart, "O: "+ldapBound+huge+ldapYes),
			state: Upgraded, offer: Accepted, hidden: [2][]string{{ldapStart}, {ldapYes}}},
		{name: "other extended requests", turns: octets(t, "C: "+ldapWhoAmI+ldapUnbind, "O: "+ldapYes), state: Following},
		{name: "the name in a value", turns: octets(t, "C: \x30\x23\x02\x01\x03\x77\x1e\x80\x021.\x81\x181.3.6.1.4.1.1466.20037.1"), state: Following},
		{name: "request behind the request", turns: octets(t, "C: "+ldapStart+ldapBind),
			state: Violation, hidden: [2][]string{{ldapStart}, nil}, pending: [2]string{ldapBind, ""}},
		{name: "octets behind the response", turns: octets(t, "C: "+ldapStart, "O: "+ldapYes+ldapBound), state: Violation,
			hidden: [2][]string{{ldapStart}, {ldapYes}}, pending: [2]string{"", ldapBound}, oneRead: true},
		{name: "request of many octets", turns: octets(t, "C: \x30\x82\x10\x23\x02\x01\x01\x77\x82\x10\x1c"+startTLSName+strings.Repeat("\x00", 4100)),
			state: Violation, pending: [2]string{"\x30\x82\x10\x23\x02\x01\x01\x77\x82\x10\x1c" + startTLSName + strings.Repeat("\x00", 4100), ""}, oneRead: true},
		{name: "SASL security layer", turns: octets(t, "C: "+ldapBind, "O: "+ldapBound, "C: \x00\x00\x00\x10"+ldapStart), state: Done},
		{name: "a message that is too short", turns: octets(t, "C: \x30\x03\x02\x01\x01"+ldapStart), state: Done},
		{name: "an indefinite length", turns: octets(t, "C: \x30\x80\x02\x01\x01"), state: Done},
	}
	for _, tt := range tests {
		tt.protocol = sniff.LDAP
		t.Run(tt.name, func(t *testing.T) { tt.run(t) })
	}
}

// Payloads of greetings, that of MariaDB 10.11 first, and packets of clients.
const (
	mariadb = "\x0a5.5.5-10.11.6-MariaDB\x00\x05\x00\x00\x00abcdefgh\x00\xfe\xff\x2d\x02\x00\xff\x81\x15\x00\x00\x00\x00\x00\x00\x1d\x00\x00\x00" +
		"ijklmnopqrst\x00mysql_native_password\x00"
	mysqlNoTLS = "\x0a8.0.36\x00\x08\x00\x00\x00abcdefgh\x00\xff\xf7\xff\x02\x00\xff\x8f\x15\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00xxxxxxxx\x00"
	mysqlSSL   = "\x20\x00\x00\x01\x85\xae\xff\x19\x00\x00\x00\x01\x2d\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x1d\x00\x00\x00"
	mysqlLogin = "\x24\x00\x00\x01\x85\xa6\xff\x19\x00\x00\x00\x01\x2d\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00bob\x00"
)

func TestMySQL(t *testing.T) {
	greeting := string(rune(len(mariadb))) + "\x00\x00\x00" + mariadb
	plain := string(rune(len(mysqlNoTLS))) + "\x00\x00\x00" + mysqlNoTLS
	tests := []scenario{
		{name: "MariaDB, upgrade", turns: octets(t, "O: "+greeting, "C: "+mysqlSSL),
			state: Upgraded, offer: Accepted, offered: true, hidden: [2][]string{{mysqlSSL}, nil}},
		{name: "hello in the same flight", turns: octets(t, "O: "+greeting, "C: "+mysqlSSL+hello),
			state: Upgraded, offer: Accepted, offered: true, hidden: [2][]string{{mysqlSSL}, nil}, pending: [2]string{hello, ""}},
		{name: "request before the greeting", turns: octets(t, "C: "+mysqlSSL, "O: "+greeting),
			state: Upgraded, offer: Accepted, offered: true, hidden: [2][]string{{mysqlSSL}, nil}},
		{name: "login in clear", turns: octets(t, "O: "+greeting, "C: "+mysqlLogin, "O: \x07\x00\x00\x02\x00\x00\x00\x02\x00\x00\x00", "C: "+mysqlSSL),
			state: Done, offer: Offered, offered: true},
		{name: "not offered", turns: octets(t, "O: "+plain, "C: "+mysqlSSL, "O: x"), state: Done, offer: Omitted},
		{name: "error for a greeting", turns: octets(t, "O: \x09\x00\x00\x00\xff\x69\x04denied"), state: Done},
		{name: "protocol 9", turns: octets(t, "O: \x06\x00\x00\x00\x093.20\x00", "C: "+mysqlSSL), state: Done},
		{name: "greeting that ends too soon", turns: octets(t, "O: \x09\x00\x00\x00\x0a8.0\x00\x01\x00\x00\x00"), state: Done},
		{name: "request of many octets", turns: octets(t, "O: "+greeting, "C: \x00\x20\x00"+mysqlSSL[3:]),
			state: Violation, offered: true, offer: Offered, pending: [2]string{"\x00\x20\x00" + mysqlSSL[3:], ""}, oneRead: true},
	}
	for _, tt := range tests {
		tt.protocol = sniff.MySQL
		t.Run(tt.name, func(t *testing.T) { tt.run(t) })
	}
}
