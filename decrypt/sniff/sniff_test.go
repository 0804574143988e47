package sniff

import (
	"strings"
	"testing"

	"github.com/clearspan/clearspan/decrypt/proto/http1/http1test"
)

func TestClient(t *testing.T) {
	tests := []struct {
		name, octets string
		want         Protocol
		more         bool
	}{
		{"nothing", "", Unknown, true},
		{"TLS", "\x16\x03\x01\x02\x00\x01", TLS, false},
		{"TLS, one octet", "\x16", Unknown, true},
		{"DTLS", "\x16\xfe\xff", Unknown, false},
		{"SSLv2", "\x80\x2e\x01\x03\x01", Unknown, false},
		{"HTTP", "GET / HTTP/1.1\r\n", HTTP, false},
		{"HTTP, half a method", "GE", Unknown, true},
		{"HTTP, no target yet", "GET ", Unknown, true},
		{"HTTP, asterisk", "OPTIONS * HTTP/1.1\r\n", HTTP, false},
		{"HTTP, absolute form", "GET http://a.test/ HTTP/1.1\r\n", HTTP, false},
		{"HTTP, half a scheme", "GET htt", Unknown, true},
		{"HTTP, CONNECT", "CONNECT a.test:443 HTTP/1.1\r\n", HTTP, false},
		{"WebDAV", "PROPFIND /dav HTTP/1.1\r\n", HTTP, false},
		{"RTSP", "OPTIONS rtsp://a.test RTSP/1.0\r\n", RTSP, false},
		{"SIP", "OPTIONS sip:a@b.test SIP/2.0\r\n", SIP, false},
		{"ICAP", "REQMOD icap://a.test ICAP/1.0\r\n", Unknown, false},
		{"HTTP/2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00", HTTP2, false},
		{"HTTP/2, half the preface", "PRI * HTTP/2", Unknown, true},
		{"SSH", "SSH-2.0-OpenSSH_9.2\r\n", SSH, false},
		{"SMTP", "EHLO a.test\r\n", SMTP, false},
		{"SMTP, lower case", "helo a.test\r\n", SMTP, false},
		{"POP3", "CAPA\r\n", POP3, false},
		{"POP3 or FTP", "USER a\r\n", Unknown, false},
		{"FTP", "AUTH TLS\r\n", FTP, false},
		{"IMAP", "a1 CAPABILITY\r\n", IMAP, false},
		{"IMAP, login", "A0001 login \"a\" \"b\"\r\n", IMAP, false},
		{"IMAP, tag alone", "A0001", Unknown, true},
		{"long word", strings.Repeat("a", maxTag+1), Unknown, true},
		{"word longer than any method", strings.Repeat("a", clientLimit), Unknown, false},
		{"long word and another", strings.Repeat("a", maxTag+1) + " LOGIN a\r\n", Unknown, false},
		{"HTTP, empty line before", "\r\nGET / HTTP/1.1\r\n", HTTP, false},
		{"HTTP, LF before", "\nGET / HTTP/1.1\r\n", HTTP, false},
		{"HTTP, two blanks", "GET  / HTTP/1.1\r\n", HTTP, false},
		{"HTTP, any method", "A-B / HTTP/1.1\r\n", HTTP, false},
		{"HTTP, method with underscore", "FOO_BAR / HTTP/1.1\r\n", HTTP, false},
		{"HTTP, command of SMTP as method", "EHLO / HTTP/1.1\r\n", HTTP, false},
		{"HTTP, banner of SSH as method", "SSH-2.0-a / HTTP/1.1\r\n", HTTP, false},
		{"empty line alone", "\r\n", Unknown, true},
		{"half a command of SMTP", "EHLO a", Unknown, true},
		{"PostgreSQL, SSLRequest", "\x00\x00\x00\x08\x04\xd2\x16\x2f", PostgreSQL, false},
		{"PostgreSQL, GSSENCRequest", "\x00\x00\x00\x08\x04\xd2\x16\x30", PostgreSQL, false},
		{"PostgreSQL, startup", "\x00\x00\x00\x28\x00\x03\x00\x00user\x00", PostgreSQL, false},
		{"PostgreSQL, length alone", "\x00\x00\x00\x08", Unknown, true},
		{"SMB", "\x00\x00\x00\x85\xffSMBr", SMB, false},
		{"LDAP, bind", "\x30\x0c\x02\x01\x01\x60\x07\x02\x01\x03\x04\x00\x80\x00", LDAP, false},
		{"LDAP, StartTLS", "\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037", LDAP, false},
		{"LDAP, long form", "\x30\x84\x00\x00\x00\x2d\x02\x02\x01\x07\x63\x84", LDAP, false},
		{"LDAP, up to the identifier", "\x30\x0c\x02\x01\x01", Unknown, true},
		{"SNMP", "\x30\x26\x02\x01\x01\x04\x06public", Unknown, false},
		{"BER, indefinite", "\x30\x80\x02\x01\x01\x60", Unknown, false},
		{"XMPP", "<stream:stream to='a.test'", XMPP, false},
		{"XMPP, declaration", "<?xml version='1.0'?><stream:stream xmlns='jabber:client'", XMPP, false},
		{"XML, declaration alone", "<?xml version='1.0'?>", Unknown, true},
		{"XMPP behind a long declaration", `<?xml version="1.0" encoding="UTF-8" standalone="yes"?>` + "\r\n<stream:stream to=", XMPP, false},
		{"XML, something else", "<?xml version='1.0'?>" + strings.Repeat("<a/>", 30), Unknown, false},
		{"RDP", "\x03\x00\x00\x13\x0e\xe0\x00\x00\x00\x00\x00\x01\x00\x08\x00\x03\x00\x00\x00", RDP, false},
		{"TPKT, no connection request", "\x03\x00\x00\x13\x0e\xf0", Unknown, false},
		{"SOCKS5", "\x05\x02\x00\x02", SOCKS, false},
		{"SOCKS4", "\x04\x01\x01\xbb", SOCKS, false},
		{"SOCKS5, no methods", "\x05\x00", Unknown, false},
		{"zero octets", strings.Repeat("\x00", 64), Unknown, false},
		{"one octet of noise", "\xff", Unknown, false},
		{"MQTT 3.1.1", "\x10\x0c\x00\x04MQTT\x04\x02\x00\x3c\x00\x00", MQTT, false},
		{"MQTT 3.1", "\x10\x0e\x00\x06MQIsdp\x03\x02\x00\x3c\x00\x00", MQTT, false},
		{"MQTT, long", "\x10\x80\x02\x00\x04MQTT\x05\x02", MQTT, false},
		{"MQTT, half", "\x10\x0c\x00\x04MQ", Unknown, true},
		{"MQTT, reserved flag", "\x10\x0c\x00\x04MQTT\x04\x01\x00\x3c\x00\x00", Unknown, false},
		{"MQTT, too short for its fields", "\x10\x02\x00\x04MQTT\x04\x02", Unknown, false},
		{"AMQP 0-9-1", "AMQP\x00\x00\x09\x01", AMQP, false},
		{"AMQP, another version", "AMQP\x00\x07\x00\x00", Unknown, false},
		{"Redis", "*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n", Redis, false},
		{"Redis, no command", "*1\r\n$3\r\n\x00\x01\x02\r\n", Unknown, false},
		{"SQL Server", "\x12\x01\x00\x2f\x00\x00\x01\x00\x00\x00\x1a\x00\x06", TDS, false},
		{"IRC", "NICK alice\r\n", IRC, false},
		{"IRC, capabilities", "CAP LS 302\r\n", IRC, false},
		{"syslog", "62 <34>1 2003-10-11T22:14:15.003Z host su - ID47 - failed\n", Syslog, false},
		{"syslog, no version", "<34>2 x", Unknown, false},
		{"STOMP", "CONNECT\naccept-version:1.2\n", STOMP, false},
		{"git", "0033git-upload-pack /project.git\x00host=a\x00", Git, false},
		{"RTSP, any target", "OPTIONS * RTSP/1.0\r\n", RTSP, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if p, more := Client([]byte(tt.octets)); p != tt.want || more != tt.more {
				t.Errorf("got %q, %v, want %q, %v", p, more, tt.want, tt.more)
			}
		})
	}
}

func TestOrigin(t *testing.T) {
	tests := []struct {
		name, octets string
		want         Protocol
		more         bool
	}{
		{"nothing", "", Unknown, true},
		{"SMTP, postfix", "220 mail.a.test ESMTP Postfix (Debian/GNU)\r\n", SMTP, false},
		{"SMTP, exim", "220 mail.a.test ESMTP Exim 4.96 Tue, 03 Jun 2025 10:00:00 +0000\r\n", SMTP, false},
		{"SMTP, several lines", "220-mail.a.test ESMTP\r\n220 no spam\r\n", SMTP, false},
		{"SMTP, named later", "220-mail.a.test\r\n220 ready for SMTP\r\n", SMTP, false},
		{"SMTP on a host called ftp", "220 ftp ESMTP Postfix\r\n", SMTP, false},
		{"SMTP on ftp.a.test", "220 ftp.a.test ESMTP\r\n", SMTP, false},
		{"SMTP, refused", "554 no service here\r\n", SMTP, false},
		{"FTP, vsftpd", "220 (vsFTPd 3.0.3)\r\n", FTP, false},
		{"FTP, ProFTPD", "220 ProFTPD Server (Debian) [::ffff:192.0.2.1]\r\n", FTP, false},
		{"FTP, Pure-FTPd", "220---------- Welcome to Pure-FTPd [privsep] [TLS] ----------\r\n", FTP, false},
		{"FTP, FileZilla", "220-FileZilla Server 1.7.0\r\n", FTP, false},
		{"FTP on a host called smtp", "220 smtp FTP server ready\r\n", FTP, false},
		{"either", "220 mail.a.test ready\r\n", Greeting220, false},
		{"either, several lines", "220-welcome\r\n free text\r\n220 ready\r\n", Greeting220, false},
		{"220, line not complete", "220 mail.a.test ESM", Unknown, true},
		{"220, lines not complete", "220-mail.a.test\r\n", Unknown, true},
		{"220, endless", "220 " + strings.Repeat("x", 600), Greeting220, false},
		{"22", "22", Unknown, true},
		{"POP3", "+OK Dovecot ready.\r\n", POP3, false},
		{"POP3, bare", "+OK\r\n", POP3, false},
		{"not POP3", "+OKAY\r\n", Unknown, false},
		{"IMAP", "* OK [CAPABILITY IMAP4rev1 STARTTLS] ready\r\n", IMAP, false},
		{"no service for now", "421 busy\r\n", SMTP, false},
		{"FTP, later", "120 wait\r\n", FTP, false},
		{"IMAP, PREAUTH", "* PREAUTH hello\r\n", IMAP, false},
		{"IMAP, half", "* O", Unknown, true},
		{"SSH", "SSH-2.0-OpenSSH_9.2p1\r\n", SSH, false},
		{"MySQL", "\x4a\x00\x00\x00\x0a8.0.36\x00", MySQL, false},
		{"MariaDB", "\x6c\x00\x00\x00\x0a5.5.5-10.11.6-MariaDB\x00", MySQL, false},
		{"MySQL, header alone", "\x4a\x00\x00\x00", Unknown, true},
		{"MySQL, refused", "\x45\x00\x00\x00\xff\x6a\x04", Unknown, false},
		{"noise", "\xff\xff\xff\xff\xff\xff", Unknown, false},
		{"NNTP", "200 news.a.test InterNetNews NNRP server ready\r\n", NNTP, false},
		{"VNC", "RFB 003.008\n", VNC, false},
		{"rsync", "@RSYNCD: 31.0\n", Rsync, false},
		{"ManageSieve", "\"IMPLEMENTATION\" \"Dovecot Pigeonhole\"\r\n", ManageSieve, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if p, more := Origin([]byte(tt.octets)); p != tt.want || more != tt.more {
				t.Errorf("got %q, %v, want %q, %v", p, more, tt.want, tt.more)
			}
		})
	}
}

func TestCommand(t *testing.T) {
	tests := []struct {
		name string
		p    Protocol
		line string
		want Protocol
	}{
		{"SMTP", Greeting220, "EHLO a.test\r\n", SMTP},
		{"SMTP, lower case", Greeting220, "helo a.test\r\n", SMTP},
		{"FTP", Greeting220, "USER anonymous\r\n", FTP},
		{"FTP, AUTH TLS", Greeting220, "AUTH TLS\r\n", FTP},
		{"FTP, AUTH TLS-P", Greeting220, "AUTH TLS-P\r\n", FTP},
		{"both know it", Greeting220, "NOOP\r\n", Greeting220},
		{"half a command", Greeting220, "EHL", Greeting220},
		{"nothing", Greeting220, "", Greeting220},
		{"resolved before", IMAP, "EHLO a.test\r\n", IMAP},
		{"unknown stays", Unknown, "EHLO a.test\r\n", Unknown},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := Command(tt.p, []byte(tt.line)); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestString(t *testing.T) {
	for p, want := range map[Protocol]string{
		Unknown: "", Greeting220: "", TLS: "tls", HTTP: "http", HTTP2: "http2", SMTP: "smtp", IMAP: "imap",
		POP3: "pop3", FTP: "ftp", SSH: "ssh", MySQL: "mysql", PostgreSQL: "postgresql", LDAP: "ldap",
		XMPP: "xmpp", RDP: "rdp", SOCKS: "socks", 200: "",
	} {
		if got := p.String(); got != want {
			t.Errorf("%d: got %q, want %q", p, got, want)
		}
	}
}

func TestHost(t *testing.T) {
	tests := []struct {
		name, head, want string
		doubt, more      bool
	}{
		{"header", "GET / HTTP/1.1\r\nAccept: */*\r\nHost: www.A.test\r\n\r\n", "www.A.test", false, false},
		{"header with port", "GET / HTTP/1.1\r\nhost:a.test:8080\r\n\r\n", "a.test", false, false},
		{"header with blanks", "GET / HTTP/1.1\r\nHost: \t a.test \r\n\r\n", "a.test", false, false},
		{"IPv6", "GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", "2001:db8::1", false, false},
		{"bare line feeds", "GET / HTTP/1.0\nHost: a.test\n\n", "a.test", false, false},
		{"same twice", "GET / HTTP/1.1\r\nHost: a.test\r\nHost: A.test\r\n\r\n", "A.test", false, false},
		{"CONNECT", "CONNECT a.test:443 HTTP/1.1\r\nHost: b.test\r\n\r\n", "a.test", false, false},
		{"absolute form", "GET http://a.test:80/x?y HTTP/1.1\r\nHost: b.test\r\n\r\n", "a.test", false, false},
		{"absolute form without path", "GET HTTP://a.test?x HTTP/1.1\r\n\r\n", "a.test", false, false},
		{"absolute form with user", "GET http://b.test@a.test/ HTTP/1.1\r\n\r\n", "a.test", false, false},
		{"body is not looked at", "POST / HTTP/1.1\r\n\r\nHost: b.test\r\n\r\n", "", false, false},
		{"name that only ends in host", "GET / HTTP/1.1\r\nX-Host: b.test\r\n\r\n", "", false, false},
		{"HTTP/1.0 without", "GET / HTTP/1.0\r\n\r\n", "", false, false},
		{"empty", "GET / HTTP/1.1\r\nHost:\r\n\r\n", "", false, false},
		{"two that differ", "GET / HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n", "", true, false},
		{"absolute form with two", "GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nHost: b.test\r\n\r\n", "", true, false},
		{"blank before the colon", "GET / HTTP/1.1\r\nHost : a.test\r\n\r\n", "", true, false},
		{"folded", "GET / HTTP/1.1\r\nHost: a.test\r\n b.test\r\n\r\n", "", true, false},
		{"user in the header", "GET / HTTP/1.1\r\nHost: b@a.test\r\n\r\n", "", true, false},
		{"NUL", "GET / HTTP/1.1\r\nHost: a.test\x00\r\n\r\n", "", true, false},
		{"broken IPv6", "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", "", true, false},
		{"brackets around a name", "GET / HTTP/1.1\r\nHost: [a.test]\r\n\r\n", "", true, false},
		{"port of letters", "GET / HTTP/1.1\r\nHost: a.test:http\r\n\r\n", "", true, false},
		{"not HTTP/1", "EHLO a.test\r\n\r\n", "", false, false},
		{"other scheme", "GET ftp://a.test/ HTTP/1.1\r\n\r\n", "a.test", false, false},
		{"nothing", "", "", true, true},
		{"half a head", "GET / HTTP/1.1\r\nHost: a.test\r\n", "", true, true},
		{"head over 16 KiB", "GET / HTTP/1.1\r\nHost: a.test\r\nX: " + strings.Repeat("x", hostLimit), "a.test", false, false},
		{"host after 16 KiB", "GET / HTTP/1.1\r\nX: " + strings.Repeat("x", hostLimit) + "\r\nHost: a.test\r\n\r\n", "", true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			host, doubt, more := Host([]byte(tt.head))
			if host != tt.want || doubt != tt.doubt || more != tt.more {
				t.Errorf("got %q, %v, %v, want %q, %v, %v", host, doubt, more, tt.want, tt.doubt, tt.more)
			}
		})
	}
	for _, tt := range http1test.Hosts {
		if host, doubt, more := Host([]byte(tt.Head)); host != tt.Host || doubt != tt.Doubt.Doubtful() || more {
			t.Errorf("%s: got %q, %v, %v, want %q, %v", tt.Name, host, doubt, more, tt.Host, tt.Doubt)
		}
	}
}

func TestSniffDoesNotAllocate(t *testing.T) {
	client, origin := []byte("a1 CAPABILITY\r\n"), []byte("220 mail.a.test ESMTP Postfix\r\n")
	if n := testing.AllocsPerRun(100, func() { Client(client); Origin(origin) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
