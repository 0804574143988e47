package sniff

import "github.com/clearspan/clearspan/decrypt/proto"

// Fits borrows b, the first octets of one direction, and reports whether they may be of
// a protocol that the other direction, or the octets before, began: the answer that its
// servers give, or the command that its clients send. more is that of [Client]. Fits
// does not allocate.
//
// It is for sessions that must not be something else. What it tells is less than
// [Client] and [Origin]: a greeting, or a request, was there before.
func Fits(p Protocol, dir proto.Direction, b []byte) (fits, more bool) {
	test := fitting[p][dir]
	if test == nil {
		return false, false
	}
	m := test(b[:min(len(b), originLimit)])
	return m == yes, m == maybe && len(b) < originLimit
}

// fitting are the tests of [Fits], by protocol and direction. Nil: that direction says
// nothing.
var fitting = map[Protocol][2]func([]byte) match{
	Greeting220: {isText, reply("220")},
	SMTP:        {isText, reply("220", "554", "421")},
	FTP:         {isText, reply("220", "120", "421")},
	IMAP:        {isText, words(imapGreetings...)},
	POP3:        {isText, reply("+OK", "-ERR")},
	SSH:         {isSSH, isSSH},
	MySQL:       {isMySQLAnswer, isMySQL},
	PostgreSQL:  {isPostgreSQL, octets("SNREGv")},
	LDAP:        {isLDAP, octets("\x30")},
	XMPP:        {isXMPP, isXMPP},
	RDP:         {isRDP, starts("\x03\x00")},
	SOCKS:       {isSOCKS, octets("\x00\x05")},
	MQTT:        {isMQTT, octets("\x20\xf0")}, // CONNACK, AUTH
	AMQP:        {isAMQP, starts("AMQP", "\x01\x00\x00\x00")},
	Redis:       {isRedis, octets("+-:$*%_#~,")},
	MongoDB:     {isMongoDB, mongoHeader},
	Kafka:       {isKafka, starts("\x00\x00", "\x00\x01")}, // a length
	Cassandra:   {isCassandra, octets("\x83\x84\x85")},
	TDS:         {isTDS, starts("\x04\x01")},
	TNS:         {isTNS, isTNSAnswer},
	DNS:         {isDNS, func(b []byte) match { return dns(b, 0x80) }},
	SMB:         {isSMB, isSMB},
	VNC:         {isVNC, isVNC},
	IRC:         {words(ircFirst...), isIRCAnswer},
	NNTP:        {words(nntpOnly...), reply("200", "201")},
	ManageSieve: {words(sieveOnly...), isManageSieve},
	Syslog:      {isSyslog, nil},
	STOMP:       {isSTOMP, starts("CONNECTED\n", "CONNECTED\r\n", "ERROR\n", "ERROR\r\n")},
	SIP:         {func(b []byte) match { return target(b, "sip:", "sips:", "tel:") }, starts("SIP/2.0 ")},
	RTSP:        {func(b []byte) match { return target(b, "rtsp://", "rtsps://", "* RTSP/") }, starts("RTSP/")},
	Git:         {isGit, packetLine},
	Rsync:       {starts("@RSYNCD: "), starts("@RSYNCD: ")},
}

// starts wants one of several beginnings.
func starts(beginnings ...string) func([]byte) match {
	return func(b []byte) match {
		best := no
		for _, s := range beginnings {
			best = max(best, prefix(b, s))
		}
		return best
	}
}

// octets wants one of several first octets.
func octets(first string) func([]byte) match {
	return func(b []byte) match {
		if len(b) == 0 {
			return maybe
		}
		for i := range len(first) {
			if b[0] == first[i] {
				return yes
			}
		}
		return no
	}
}

// words wants one of several commands.
func words(commands ...string) func([]byte) match {
	return func(b []byte) match { return command(b, commands) }
}

// reply wants one of several codes, with a blank or a hyphen behind it.
func reply(codes ...string) func([]byte) match {
	return func(b []byte) match {
		best := no
		for _, c := range codes {
			m := prefix(b, c)
			switch {
			case m != yes:
			case len(b) == len(c):
				m = maybe
			case b[len(c)] != '-' && !isBlank(b[len(c)]):
				m = no
			}
			best = max(best, m)
		}
		return best
	}
}

// isMySQLAnswer wants the header of a client's first packet: number 1, and as long as
// those are. Behind TLS it is number 2.
func isMySQLAnswer(b []byte) match {
	const most = 64 << 10 // octets
	switch {
	case len(b) < 4:
		return maybe
	case int(b[0])|int(b[1])<<8|int(b[2])<<16 > most, b[3] != 1 && b[3] != 2:
		return no
	}
	return yes
}

// isTNSAnswer wants the header of an accept, refuse, redirect or resend packet.
func isTNSAnswer(b []byte) match {
	const accept, refuse, redirect, resend = 2, 4, 5, 11
	if len(b) < 5 {
		return maybe
	}
	switch b[4] {
	case accept, refuse, redirect, resend:
		return yes
	}
	return no
}

// isIRCAnswer wants a message of a server.
func isIRCAnswer(b []byte) match { return max(prefix(b, ":"), command(b, ircAnswers)) }
