package e2e

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
)

const evilName = "www.evil.test"

// browserPort is the one that a browser asks for. It opens connections ahead of its
// hello: if one is silent for long, its origin is dialed, and gets no octet.
const browserPort = 8668

// TestRefusals has a browser, curl and mail programs meet what the policy
// terminates and origins that are blocked: each is told in its own protocol. The
// origin gets no packet of a session that its hello, its Host, or its address
// terminates.
func TestRefusals(t *testing.T) {
	c := newScene(t, settings{
		Policy: `
  default: bump
  rules:
    - {name: evil, host: ["*.evil.test"], action: terminate}
    - {name: no-mail, protocol: [smtp, imap, pop3], action: terminate}`,
		Origin: "on_invalid: {default: block}",
		More:   "block: {https: true}",
	})
	self, err := c.PKI.SelfSigned("self.example.test")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lab.StartNginx(c.Origin, c.Directory("nginx"), append(lab.Sites(c.Cert),
		lab.Site{Port: lab.TLSPort, Names: []string{"self.example.test"}, Certificate: &self})); err != nil {
		t.Fatal(err)
	}
	boxes, err := lab.NewMailboxes(c.Directory("mail"), domain, map[string]string{user: password})
	if err != nil {
		t.Fatal(err)
	}
	postfix, err := lab.StartPostfix(c.Origin, c.Directory("postfix"), c.Cert, boxes)
	if err != nil {
		t.Fatal(err)
	}
	defer postfix.Stop()
	dovecot, err := lab.StartDovecot(c.Origin, c.Directory("dovecot"), c.Cert, boxes)
	if err != nil {
		t.Fatal(err)
	}
	defer dovecot.Stop()
	for _, port := range []int{8666, browserPort} {
		c.Listen(port, c.Echo(&tls.Config{Certificates: []tls.Certificate{c.Pair(c.Cert)}}))
	}
	c.Listen(8667, func(conn net.Conn) { io.Copy(io.Discard, conn) })
	origin, err := lab.StartCapture(c.Origin, lab.OriginInterface, filepath.Join(c.Directory("origin"), "origin.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	evil := func(args ...string) []string { return append(lab.Resolve(evilName, lab.OriginV4), args...) }
	want := make(map[ends][]string) // rule, outcome, reason and notice of the entry
	shown := make(map[ends]string)  // the page

	for _, row := range []struct {
		name, ca string
		args     []string
		version  string
		status   string
		entry    []string
	}{
		{"HTTPS, HTTP/2", c.CA, evil("--http2", "https://"+evilName+":8666/x?y=<b>"), "2", "403", []string{"evil", "terminated", "policy", "page"}},
		{"HTTPS, HTTP/1.1", c.CA, evil("--http1.1", "https://"+evilName+":8666/"), "1.1", "403", []string{"evil", "terminated", "policy", "page"}},
		{"HTTPS, TLS 1.2", c.CA, evil("--tls-max", "1.2", "https://"+evilName+":8666/"), "2", "403", []string{"evil", "terminated", "policy", "page"}},
		{"HTTP", "", evil("http://" + evilName + ":8667/"), "1.1", "403", []string{"evil", "terminated", "policy", "page"}},
		{"HTTP, upload", "", evil("--data-binary", "@"+c.CA, "http://"+evilName+":8667/"), "1.1", "403", []string{"evil", "terminated", "policy", "page"}},
		{"bad origin", filepath.Join(filepath.Dir(c.CA), "untrusted.crt"), append(lab.Resolve("self.example.test", lab.OriginV4), "https://self.example.test/"),
			"2", "502", []string{"default", "failed", "self-signed", "page"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			d := c.In(t)
			d.CA = row.ca
			x := d.Fetch(row.args...)
			if x.Version != row.version || x.Status != row.status || strings.Contains(string(x.Content), "<b>") {
				t.Errorf("HTTP/%s, status %s, %s", x.Version, x.Status, x.Content)
			}
			want[x.Ends], shown[x.Ends] = row.entry, string(x.Content)
		})
	}
	t.Run("bad origin, client that trusts the authority", func(t *testing.T) {
		c := c.In(t)
		if r := c.refused(c.CA, append(lab.Resolve("self.example.test", lab.OriginV4), "https://self.example.test/")...); r.Code != 60 {
			t.Errorf("curl's status %d, %s", r.Code, r.Stderr)
		}
	})
	t.Run("Chromium", func(t *testing.T) {
		document, err := lab.Chromium(c.Ctx, c.Client, t.TempDir(), c.CA, evilName, lab.OriginV4, fmt.Sprintf("https://%s:%d/", evilName, browserPort))
		if err != nil || !strings.Contains(document, `<dd id="rule">evil</dd>`) || !strings.Contains(document, "does not allow the connection to "+evilName) {
			t.Errorf("Chromium: %v, %.2000s", err, document)
		}
		document, _ = lab.Chromium(c.Ctx, c.Client, t.TempDir(), c.CA, "self.example.test", lab.OriginV4, "https://self.example.test/")
		if strings.Contains(document, `<dd id="rule">`) {
			t.Errorf("Chromium goes to the page about a bad origin without a warning: %.2000s", document)
		}
	})
	t.Run("mail", func(t *testing.T) {
		c := c.In(t)
		r, err := lab.Swaks(c.Ctx, c.Client, lab.Mail{Server: lab.OriginV4, Port: lab.SMTPPort, From: sender, To: user + "@" + domain, Plain: true, Data: letter("s", "b")})
		if err == nil || !strings.Contains(r.Stdout, "554 5.7.1 refused by the policy of this network (rule no-mail, session ") {
			t.Errorf("swaks: %v\n%s", err, r.Stdout)
		}
		for scheme, line := range map[string]string{"imap": "* BYE refused", "pop3": "-ERR [SYS/PERM] refused"} {
			if r := c.refused("", "--verbose", scheme+"://"+lab.OriginV4+"/"); !strings.Contains(r.Stderr, line) {
				t.Errorf("%s: %s", scheme, r.Stderr)
			}
		}
	})
	if t.Failed() {
		return
	}
	if recorded := c.Stop(); len(recorded) != 0 {
		t.Errorf("%d conversations on the mirror, the first %.100q", len(recorded), recorded[0].Streams)
	}
	entries := c.Entries()
	lines := 0
	for _, e := range entries {
		if e.Notice == "line" {
			lines++
		}
	}
	if lines != 3 {
		t.Errorf("%d mail clients were told", lines)
	}
	for port, w := range want {
		e := c.EntryOf(entries, port)
		if got := []string{e.Rule, e.Outcome, e.Reason, e.Notice}; fmt.Sprint(got) != fmt.Sprint(w) {
			t.Errorf("want %q, got %q", w, got)
		}
		if !strings.Contains(shown[port], ">"+e.Session+"<") || !strings.Contains(shown[port], ">"+e.Reason+"<") {
			t.Errorf("session %s, %s: %s", e.Session, e.Reason, shown[port])
		}
		if (e.TLSClient != nil && e.TLSClient.Version != "") != (e.ForgedSerial != "") {
			t.Errorf("entry %+v", e)
		}
	}
	if _, err := origin.Stop(); err != nil {
		t.Error(err)
	}
	for filter, seen := range map[string]bool{
		"tcp.port == 443": true, // so that we know what to look for

		"tcp.port == 8666 || tcp.port == 8667":                                           false,
		fmt.Sprintf("tcp.len > 0 && tcp.port == %d", browserPort):                        false,
		"tcp.len > 0 && (tcp.dstport == 25 || tcp.dstport == 143 || tcp.dstport == 110)": false,
	} {
		packets, err := lab.Fields(c.Ctx, origin.File, filter, "frame.number")
		if err != nil || (len(packets) > 0) != seen {
			t.Errorf("%s: %d packets at the origin, %v", filter, len(packets), err)
		}
	}
}

// TestRefusedProxyRequests has clients of the explicit proxy ask for what a rule
// terminates, with a page of the operator's, and after a reload without a word.
func TestRefusedProxyRequests(t *testing.T) {
	const choice = "{page: own.html}"
	c := newScene(t, settings{
		Intake: `{name: proxy, mode: explicit, listen: ":` + proxyPort + `", from: ` + labClients + `}`,
		Policy: `{default: bump, rules: [{name: other, port: [7], action: tunnel}, {name: evil, host: ["*.evil.test"], origin: [192.0.2.0/24], action: terminate},` +
			`{name: box, origin: [192.0.2.66/32], action: terminate}]}`,
		More: "block: " + choice,
		Prepare: prepared(func(c *scene) {
			c.Write(filepath.Join(c.Dir, "own.html"), []byte("<p>No: {{.Rule}} {{.Reason}} [{{.Session}}]"))
		}),
	})
	c.Nginx()
	const proxy = lab.BoxLANV4 + ":" + proxyPort
	say := func(t *testing.T, request string) (net.Conn, *bufio.Reader) {
		conn, err := c.Client.DialContext(c.Ctx, "tcp", proxy)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(20 * time.Second))
		io.WriteString(conn, request)
		return conn, bufio.NewReader(conn)
	}
	page := func(t *testing.T, r *bufio.Reader) string {
		answer, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != 403 || answer.Header.Get("Content-Type") != "text/html; charset=utf-8" || !answer.Close {
			t.Errorf("%s %v, %v", answer.Status, answer.Header, err)
		}
		return string(body)
	}
	var pages []string
	t.Run("CONNECT, address", func(t *testing.T) {
		_, r := say(t, "CONNECT 192.0.2.66:443 HTTP/1.1\r\n\r\n")
		pages = append(pages, page(t, r))
		if rest, err := io.ReadAll(r); err != nil || len(rest) > 0 {
			t.Errorf("behind the page: %q, %v", rest, err)
		}
	})
	t.Run("absolute form", func(t *testing.T) {
		_, r := say(t, "GET http://192.0.2.66/x HTTP/1.1\r\nHost: 192.0.2.66\r\n\r\n")
		answer, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(answer.Body)
		if answer.StatusCode != 403 {
			t.Errorf("%s", answer.Status)
		}
		pages = append(pages, string(body))
	})
	t.Run("SOCKS", func(t *testing.T) {
		_, r := say(t, "\x05\x01\x00\x05\x01\x00\x01\xc0\x00\x02\x42\x01\xbb")
		if got, err := io.ReadAll(r); err != nil || !strings.HasPrefix(string(got), "\x05\x00\x05\x02") {
			t.Errorf("got %q, %v", got, err)
		}
	})
	t.Run("CONNECT, decided by the hello", func(t *testing.T) {
		conn, r := say(t, "CONNECT "+lab.OriginV4+":443 HTTP/1.1\r\n\r\n")
		if line, err := r.ReadString('\n'); !strings.Contains(line, " 200 ") {
			t.Fatalf("%q, %v", line, err)
		}
		r.ReadString('\n')
		if _, err := peer(c.Ctx, conn, evilName); err == nil || !strings.Contains(err.Error(), "access denied") {
			t.Errorf("want an alert access denied, got %v", err)
		}
	})
	c.reconfigure(choice, "{answer: reset}", "reloaded")
	t.Run("CONNECT, reset", func(t *testing.T) {
		conn, r := say(t, "CONNECT 192.0.2.66:443 HTTP/1.1\r\n\r\n")
		if line, err := r.ReadString('\n'); !strings.Contains(line, " 200 ") {
			t.Fatalf("%q, %v", line, err)
		}
		r.ReadString('\n')
		if _, err := peer(c.Ctx, conn, evilName); err == nil || !strings.Contains(err.Error(), "reset") {
			t.Errorf("want a reset, got %v", err)
		}
	})
	if t.Failed() {
		return
	}
	c.Stop()
	var notices []string
	for i, e := range c.Entries() {
		if e.Outcome != "terminated" || e.Reason != "policy" || e.Action != "terminate" || e.Intake != "proxy" {
			t.Errorf("entry %+v", e)
		}
		notices = append(notices, e.Rule+" "+e.Notice)
		if want := "<p>No: box policy [" + e.Session + "]"; i < len(pages) && pages[i] != want {
			t.Errorf("page %q, want %q", pages[i], want)
		}
	}
	if got := strings.Join(notices, ", "); got != "box proxy, box page, box proxy, evil alert, evil reset" {
		t.Errorf("notices: %s", got)
	}
}
