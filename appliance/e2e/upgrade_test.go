package e2e

import (
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
	"github.com/clearspan/clearspan/mirror/conformance"
	"github.com/clearspan/clearspan/mirror/mirrortest"
)

// upgrade is a protocol that turns to TLS on request, with a real server and a
// real client.
type upgrade struct {
	protocol string
	port     uint16
	start    func(c *scene) (*lab.Server, error)
	stdin    string
	run      func(server, ca string) []string // without a ca: no TLS; nil if the server insists
	asks     string                           // in what the client sends
	says     string                           // in the client's output
	plain    string                           // what becomes of the upgrade where the client wants none
	direct   bool                             // the client meets the origin without us, too, and must trust it

	// What tshark reads in the recording of a session that was bumped.
	fields []string
	words  []string // in this order
	// What the mirror with starttls: keep has more, by direction.
	negotiation [2][]string
}

const ssl = "\x00\x00\x00\x08\x04\xd2\x16\x2f"

// upgrades are all but the mail of [TestMail]. FTP is active here: its data
// connections come from a network that the intake does not hear, and pass by
// routing. See [TestFTP] for others.
var upgrades = []upgrade{
	{
		protocol: "postgresql", port: lab.PostgreSQLPort,
		start: func(c *scene) (*lab.Server, error) {
			return lab.StartPostgreSQL(c.Origin, c.Directory("postgresql"), c.Cert)
		},
		run:         func(server, ca string) []string { return lab.PSQL(server, ca, "select 'forty', 6*7") },
		asks:        "select 'forty', 6*7",
		says:        "forty|42",
		fields:      []string{"pgsql.type", "pgsql.query"},
		words:       []string{"Startup message", "Authentication request", "Simple query", "select 'forty', 6*7", "Data row", "Termination"},
		negotiation: [2][]string{{ssl}, {"S"}},
	},
	{
		protocol: "ldap", port: lab.LDAPPort,
		start: func(c *scene) (*lab.Server, error) {
			return lab.StartSlapd(c.Origin, c.Directory("slapd"), c.Cert, "alice", "bob")
		},
		run:    func(server, ca string) []string { return lab.LDAPSearch(server, ca, "cn=alice") },
		asks:   "dc=example,dc=test",
		says:   "dn: cn=alice,dc=example,dc=test",
		fields: []string{"ldap.protocolOp", "ldap.objectName", "ldap.AttributeValue"},
		words:  []string{"0", "1", "3", "4", "cn=alice,dc=example,dc=test", "5", "2"},
		negotiation: [2][]string{
			{"\x30\x1d\x02\x01\x01\x77\x18\x80\x161.3.6.1.4.1.1466.20037"},
			{"\x30\x0c\x02\x01\x01\x78\x07\x0a\x01\x00\x04\x00\x04\x00"},
		},
	},
	{
		protocol: "mysql", port: lab.MariaDBPort,
		start: func(c *scene) (*lab.Server, error) {
			return lab.StartMariaDB(c.Origin, c.Directory("mariadb"), c.Cert)
		},
		run:    func(server, ca string) []string { return lab.MariaDB(server, ca, "select 'forty', 6*7") },
		asks:   "select 'forty', 6*7",
		says:   "forty\t42",
		plain:  "offered",
		fields: []string{"mysql.version", "mysql.user", "mysql.query", "mysql.row.text"},
		words:  []string{"MariaDB", "bob", "select 'forty', 6*7", "forty,42"},
	},
	{
		protocol: "xmpp", port: lab.XMPPPort,
		start: func(c *scene) (*lab.Server, error) {
			return lab.StartProsody(c.Origin, c.Directory("prosody"), domain, c.Cert, map[string]string{"alice": password, user: password})
		},
		stdin: "the word is sesame",
		run: func(server, ca string) []string {
			if ca == "" {
				return nil // the server insists
			}
			return lab.SendXMPP(server, ca, sender, password, user+"@"+domain)
		},
		asks:   "<body>the word is sesame</body>",
		fields: []string{"_ws.col.Info"},
		words:  []string{"STREAM > ", "STREAM < ", "STREAM > ", "STREAM < ", "AUTH", "SUCCESS", "MESSAGE > bob@example.test"},
		negotiation: [2][]string{
			{"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>\n"},
			{"<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'><required/></starttls>", "<proceed xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>"},
		},
	},
	{
		protocol: "smtp", port: lab.SMTPPort,
		start: func(c *scene) (*lab.Server, error) {
			boxes, err := lab.NewMailboxes(c.Directory("mail"), domain, map[string]string{user: password})
			if err != nil {
				return nil, err
			}
			return lab.StartExim(c.Origin, c.Directory("exim"), c.Cert, boxes)
		},
		run: func(server, ca string) []string {
			return lab.SendMail(server, ca, sender, user+"@"+domain, "Subject: by Exim\n\nthe word is sesame\n")
		},
		asks:        "the word is sesame",
		says:        "250 OK id=",
		plain:       "offered",
		fields:      []string{"smtp.req.command", "smtp.response.code", "imf.subject"},
		words:       []string{"220", "EHLO", "250", "EHLO", "250", "MAIL", "RCPT", "DATA", "354", "by Exim", "250", "QUIT"},
		negotiation: [2][]string{{"STARTTLS\r\n"}, {"250-STARTTLS\r\n", "220 TLS go ahead\r\n"}},
	},
	{
		protocol: "ftp", port: lab.FTPPort,
		start: func(c *scene) (*lab.Server, error) {
			f, err := lab.StartVsftpd(c.Origin, c.Directory("vsftpd"), c.Cert, lab.FTPPort, false)
			if err != nil {
				return nil, err
			}
			return f.Server, nil
		},
		run: func(server, ca string) []string {
			return lab.LFTP(server, ca, "set ftp:passive-mode no; ls")
		},
		asks:        "LIST",
		says:        "upload",
		plain:       "offered",
		direct:      true,
		fields:      []string{"ftp.request.command", "ftp.response.code"},
		words:       []string{"220", "FEAT", "211", "USER", "230", "PROT", "200", "PORT", "200", "LIST", "150", "226", "QUIT"},
		negotiation: [2][]string{{"AUTH TLS\r\n"}, {" AUTH TLS\r\n", "234 Proceed with negotiation.\r\n"}},
	},
}

// TestUpgrades has sessions that turn to TLS bumped, tunneled, and left without
// TLS. By IPv6 they are tunneled. A second mirror keeps the negotiation.
func TestUpgrades(t *testing.T) {
	c := newScene(t, settings{
		Policy: "{default: bump, rules: [{name: private, origin: [\"" + lab.OriginV6 + "\"], action: tunnel}]}",
		Mirror: "  - {name: truth, kind: pcapng, directory: truth, starttls: keep}",
	})
	var starting sync.WaitGroup
	for _, u := range upgrades {
		starting.Go(func() {
			if _, err := u.start(c); err != nil {
				c.Error(err)
			}
		})
	}
	if starting.Wait(); t.Failed() {
		return
	}
	both := filepath.Join(t.TempDir(), "both.pem")
	c.Write(both, slices.Concat(c.ReadFile(c.CA), c.ReadFile(c.PKI.RootFile)))
	for _, u := range upgrades {
		for _, way := range []struct{ name, server, ca string }{
			{"bump", lab.OriginV4, c.CA},
			{"tunnel", lab.OriginV6, c.PKI.RootFile},
			{"no TLS", lab.OriginV4, ""},
		} {
			if u.direct && way.ca == c.CA {
				way.ca = both
			}
			args := u.run(way.server, way.ca)
			if args == nil {
				continue
			}
			t.Run(u.protocol+", "+way.name, func(t *testing.T) {
				r, err := lab.Run(c.Ctx, c.Client, u.stdin, args[0], args[1:]...)
				if err != nil || !strings.Contains(r.Stdout, u.says) {
					t.Errorf("%v\n%s\n%s", err, r.Stdout, r.Stderr)
				}
			})
		}
	}
	// openssl begins each dialogue in a way of its own, that of XMPP servers too.
	for protocol, port := range map[string]int{"smtp": lab.SMTPPort, "postgres": lab.PostgreSQLPort, "ldap": lab.LDAPPort, "mysql": lab.MariaDBPort,
		"xmpp": lab.XMPPPort, "xmpp-server": lab.XMPPServerPort, "ftp": lab.FTPPort} {
		t.Run("openssl, "+protocol, func(t *testing.T) {
			r, err := lab.OpenSSL(c.Ctx, c.Client, "", "-connect", net.JoinHostPort(lab.OriginV4, strconv.Itoa(port)), "-starttls", protocol,
				"-xmpphost", domain, "-servername", mailName, "-CAfile", c.CA, "-verify_hostname", mailName, "-verify_return_error", "-brief")
			if err != nil {
				t.Errorf("%v\n%s", err, r.Stdout)
			}
		})
	}
	recorded := c.Stop()
	if t.Failed() {
		return
	}
	truth := c.truth(conformance.STARTTLS)
	for _, u := range upgrades {
		t.Run(u.protocol+", recorded", func(t *testing.T) { u.judge(c.In(t), recorded, truth) })
	}
}

// truth reads the mirror that keeps the negotiation of TLS.
func (c *scene) truth(allowed ...conformance.Rule) (list []mirrortest.Conversation) {
	c.Helper()
	files, _ := filepath.Glob(filepath.Join(c.Dir, "state", "truth", "*.pcapng"))
	for _, file := range files {
		list = append(list, c.ReadCapture(file, allowed...)...)
	}
	c.Account("truth", list)
	return list
}

// judge holds the sessions of a protocol against what is to be seen of them.
func (u upgrade) judge(c *scene, recorded, truth []mirrortest.Conversation) {
	c.Helper()
	got := make(map[string]string)
	for _, e := range c.Entries() {
		if e.Origin.Port() != u.port {
			continue
		}
		if e.SNI == mailName { // of openssl, see TestUpgrades
			if e.Outcome != "bumped" || e.StartTLS != "used" || e.Protocol != u.protocol {
				c.Errorf("openssl: entry %+v", e)
			}
			continue
		}
		if e.Reason == "origin-reset" || e.Reason == "client-reset" {
			e.Reason = "" // who closes before a close_notify is read resets
		}
		got[e.Outcome] = strings.Join([]string{e.Protocol, e.Action, e.StartTLS, e.Reason}, " ")
		if e.Outcome == "tunneled" {
			if e.ForgedSerial != "" || e.Mirror["recorder"].Octets != 0 || e.Octets["origin_to_client"] == 0 {
				c.Errorf("tunneled: entry %+v", e)
			}
			continue
		}
		v := c.ConversationOf(recorded, e.Shown("recorder"))
		full := c.ConversationOf(truth, e.Shown("truth"))
		for dir := range v.Streams {
			kept, concealed := string(full.Streams[dir]), u.negotiation[dir]
			if e.Outcome == "plain" { // the announcement, where there is one
				concealed = nil
				if dir == 1 && u.plain == "offered" {
					concealed = u.negotiation[dir][:min(1, len(u.negotiation[dir]))]
				}
			}
			for _, word := range concealed {
				before, after, ok := strings.Cut(kept, word)
				if !ok {
					c.Errorf("direction %d: %q is not on the mirror that keeps it: %.300q", dir, word, kept)
				}
				kept = before + after
			}
			if u.protocol != "mysql" {
				scenetest.Same(c, "concealed", v.Streams[dir], []byte(kept))
			}
		}
		if !strings.Contains(string(v.Streams[0]), u.asks) || !strings.Contains(string(full.Streams[0]), u.asks) {
			c.Errorf("%s: %q is not in the recordings", e.Outcome, u.asks)
		}
		if e.Outcome == "bumped" {
			u.dissected(c, e.Client)
		}
	}
	want := map[string]string{"bumped": u.protocol + " bump used ", "tunneled": u.protocol + " tunnel used "}
	if u.run(lab.OriginV4, "") != nil {
		want["plain"] = strings.Join([]string{u.protocol, "bump", u.plain, ""}, " ")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		c.Errorf("sessions by outcome (-want +got):\n%s", diff)
	}
}

// dissected has tshark read a session in the recording.
func (u upgrade) dissected(c *scene, client netip.AddrPort) {
	c.Helper()
	rows, err := lab.Fields(c.Ctx, c.Capture.File, "ip.addr == "+client.Addr().String()+" && tcp.port == "+itoa(client.Port()), u.fields...)
	if err != nil {
		c.Fatal(err)
	}
	var read []string
	for _, row := range rows {
		for _, field := range row {
			if field != "" {
				read = append(read, field)
			}
		}
	}
	rest := read
	for _, word := range u.words {
		i := slices.IndexFunc(rest, func(s string) bool { return strings.Contains(s, word) })
		if i < 0 {
			c.Errorf("tshark reads no %q after the words before it, of %q", word, read)
			return
		}
		rest = rest[i:]
	}
}

func itoa(n uint16) string { return strconv.Itoa(int(n)) }
