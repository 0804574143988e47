package e2e

import (
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestUnusualRequests has requests that nginx answers, and that a careless reader does
// not take for HTTP. A rule on their host, a service that is closed, and the check of
// the host inside TLS must see them all. Other protocols go on as the rules say.
func TestUnusualRequests(t *testing.T) {
	const evil = "evil.example.test"
	intakes := []struct {
		name   string
		port   int
		origin int
	}{
		{"ruled", 8001, 80}, // a rule terminates evil
		{"dead", 8002, 80},  // a closed service, whose server is down
		{"both", 8003, 80},  // the rule and the service
		{"spare", 8004, 80}, // neither
		{"inside", 8443, 443},
		{"unknown", 8005, 8100}, // another protocol, and the service
		{"exempt", 8006, 8100},  // another protocol, and a rule that takes no service
		{"banner", 8007, 8101},  // a protocol that is known, and the service
		{"greets", 8008, 8102},  // a greeting that tells no protocol, and the service
	}
	ports := make(map[string]int)
	var list []string
	for _, i := range intakes {
		ports[i.name] = i.port
		list = append(list, fmt.Sprintf(`{name: %s, mode: static, listen: ":%d", origin: "%s:%d"}`, i.name, i.port, lab.OriginV4, i.origin))
	}
	c := newScene(t, settings{
		Blind:  true, // readers of captures object to such requests
		Intake: strings.Join(list, "\n  - "),
		Policy: `{default: bump, events: {sni-mismatch: terminate}, rules: [
    {name: evil, intake: [ruled, both], host: [` + evil + `], action: terminate},
    {name: exempt, intake: [exempt], action: bump, services: none},
    {name: scanned, intake: [dead, both, unknown, exempt, banner, greets], action: bump, services: [av]}]}`,
		More: "services:\n  - {name: av, kind: icap, url: \"icap://127.0.0.1:1/avscan\", timeout: 2s, on_failure: closed}",
	})
	sites := []lab.Site{{Port: 80, Echo: true}, {Port: 443, Certificate: &c.Cert, Echo: true}}
	if _, err := lab.StartNginx(c.Origin, c.Directory("nginx"), sites); err != nil {
		t.Fatal(err)
	}
	echo := func(conn net.Conn) {
		p := make([]byte, 64)
		n, _ := conn.Read(p)
		fmt.Fprintf(conn, "answer to %s", p[:n])
		conn.Close()
	}
	c.Listen(8100, echo)
	c.Listen(8101, func(conn net.Conn) {
		io.WriteString(conn, "SSH-2.0-origin\r\n")
		echo(conn)
	})
	c.Listen(8102, func(conn net.Conn) {
		io.WriteString(conn, "hello\r\n")
		echo(conn)
	})

	const rest = " / HTTP/1.1\r\nHost: " + evil + "\r\nConnection: close\r\n\r\n"
	requests := []struct {
		name   string
		pieces []string // with a second between them
	}{
		{"usual", []string{"GET" + rest}},
		{"CRLF before", []string{"\r\nGET" + rest}},
		{"LF before", []string{"\nGET" + rest}},
		{"many empty lines before", []string{strings.Repeat("\r\n", 300) + "GET" + rest}},
		{"two blanks", []string{"GET " + rest}},
		{"method with hyphen", []string{"A-B" + rest}},
		{"method with underscore", []string{"FOO_BAR" + rest}},
		{"command of mail as method", []string{"EHLO" + rest}},
		{"long method", []string{strings.Repeat("A", 200) + rest}},
		{"another scheme", []string{"GET ftp://" + evil + rest[1:]}},
		{"host in doubt", []string{"GET / HTTP/1.1\r\nHost: " + evil + ":0000080\r\nConnection: close\r\n\r\n"}},
		{"late", []string{"", "GET" + rest}},
		{"late, CRLF before", []string{"", "\r\nGET" + rest}},
		{"late behind CRLF", []string{"\r\n", "GET" + rest}},
		{"late behind a letter", []string{"G", "ET" + rest}},
		{"late behind the method", []string{"A-B ", rest[1:]}},
		{"late behind half a method, of mail", []string{"EH", "LO" + rest}},
	}
	type visit struct {
		name, intake string
		Ends         ends
	}
	var visits []visit
	var mu sync.Mutex
	// say says the pieces to an intake, and returns what it got, to its end.
	say := func(t *testing.T, intake string, pieces []string) (got string) {
		conn, err := c.Client.DialContext(c.Ctx, "tcp", net.JoinHostPort(lab.BoxLANV4, fmt.Sprint(ports[intake])))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		mu.Lock()
		visits = append(visits, visit{t.Name(), intake, scenetest.LocalPort(conn)})
		mu.Unlock()
		conn.SetDeadline(time.Now().Add(30 * time.Second))
		if intake == "inside" {
			conn = tls.Client(conn, &tls.Config{RootCAs: c.Pool(c.CA), ServerName: webName})
		}
		for i, p := range pieces {
			if i > 0 {
				time.Sleep(time.Second)
			}
			io.WriteString(conn, p)
		}
		all, _ := io.ReadAll(conn)
		return string(all)
	}
	var acting sync.WaitGroup
	for _, r := range requests {
		for _, intake := range []string{"ruled", "dead", "both", "spare", "inside"} {
			acting.Go(func() {
				t.Run(intake+", "+r.name, func(t *testing.T) {
					got := say(t, intake, r.pieces)
					if reached := strings.Contains(got, " "+evil+" "); reached != (intake == "spare") {
						t.Errorf("the client got %.300q", got)
					}
				})
			})
		}
	}
	for _, r := range []struct {
		intake, want string
		pieces       []string
	}{
		{"unknown", "", []string{"\x05ask"}},
		{"exempt", "answer to \x05ask", []string{"\x05ask"}},
		{"banner", "SSH-2.0-origin\r\nanswer to SSH-2.0-client\r\n", []string{"", "SSH-2.0-client\r\n"}},
		{"banner", "SSH-2.0-origin\r\n", []string{"", "\x05ask"}}, // which is none of its words
		{"greets", "hello\r\n", []string{"", "\x05ask"}},
	} {
		acting.Go(func() {
			t.Run(r.intake, func(t *testing.T) {
				if got := say(t, r.intake, r.pieces); got != r.want {
					t.Errorf("the client got %q, want %q", got, r.want)
				}
			})
		})
	}
	acting.Wait()
	c.Stop()
	entries := c.Entries()
	for _, v := range visits {
		// Connections to different intakes may have the same client's port.
		i := slices.IndexFunc(entries, func(e scenetest.Entry) bool {
			return e.Client.Port() == v.Ends.Client && e.Intake == v.intake
		})
		if i < 0 {
			t.Errorf("%s: no entry", v.name)
			continue
		}
		e := entries[i]
		ok := e.Outcome == "plain"
		switch v.intake {
		case "ruled", "both":
			ok = e.Outcome == "terminated" && e.Rule == "evil" && e.Protocol == "http"
		case "inside":
			ok = e.Outcome == "terminated" && e.Rule == "event:sni-mismatch"
		case "dead":
			ok = ok && (e.Service["av"] == "failed-closed" || strings.HasPrefix(e.Reason, "http-request-"))
		case "unknown":
			ok = ok && e.Reason == "http-request-not-http"
		}
		if !ok {
			t.Errorf("%s: %+v", v.name, e)
		}
	}
}
