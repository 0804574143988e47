package mail

import (
	"context"
	"fmt"
	"io"
	"net"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
)

// second begins another message.
const second = "MAIL FROM:<>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nMESSAGE.\r\n"

// evasions are ways to give a server a message, as a service may not see it. MESSAGE is
// the message, SIZE its length.
var evasions = []string{
	// DATA, spelled in odd ways.
	"DATA\r\nMESSAGE.\r\n", "data\nMESSAGE.\r\n", " \tDATA \t\r\nMESSAGE.\r\n", "\r\nDATA\r\nMESSAGE.\r\n", "\nDATA\r\nMESSAGE.\r\n",
	"\vDATA\r\nMESSAGE.\r\n", "\fDATA\r\nMESSAGE.\r\n", "\rDATA\r\nMESSAGE.\r\n", "DATA\v\r\nMESSAGE.\r\n", "DATA\f\r\nMESSAGE.\r\n",
	"DATA\r\r\nMESSAGE.\r\n", "NOOP\rDATA\r\nMESSAGE.\r\n", "DATA\x00\r\nMESSAGE.\r\n", "DATA\x00x\r\nMESSAGE.\r\n",
	"\"DATA\"\r\nMESSAGE.\r\n", "<DATA>\r\nMESSAGE.\r\n", "DATA:\r\nMESSAGE.\r\n",
	"DATA" + strings.Repeat(" ", 3000) + "\r\nMESSAGE.\r\n", "NOOP" + strings.Repeat(" ", 2044) + "DATA\r\nMESSAGE.\r\n",
	"AUTH PLAIN\r\nDATA\r\nMESSAGE.\r\n", "AUTH LOGIN =\r\nDATA\r\nMESSAGE.\r\n",
	// BDAT.
	"BDAT SIZE LAST\r\nMESSAGE", "bdat SIZE last\nMESSAGE", "BDAT\tSIZE\tLAST\r\nMESSAGE", "\vBDAT SIZE LAST\r\nMESSAGE", "BDAT\vSIZE\vLAST\r\nMESSAGE",
	"BDAT SIZE\vLAST\r\nMESSAGE", "BDAT SIZE\fLAST\v\r\nMESSAGE", "BDAT SIZE LAST\x00x\r\nMESSAGE", "BDAT 00SIZE LAST\r\nMESSAGE",
	"BDAT +SIZE LAST\r\nMESSAGE", "BDAT SIZE LAST x\r\nMESSAGE", "BDAT SIZE\r\nMESSAGEBDAT 0 LAST\r\n", "BDAT SIZE\r\nMESSAGE\nBDAT 0 LAST\r\n",
	"NOOP" + strings.Repeat(" ", 2044) + "BDAT SIZE LAST\r\nMESSAGE",
	// Ends of content.
	"DATA\r\nx\n.\n" + second, "DATA\r\nx\r\n.\n" + second, "DATA\r\nx\n.\r\n" + second, "DATA\r\nx\r\n.\r\r\n" + second, "DATA\r\nx\r.\r" + second, "DATA\r\n.\n" + second,
	// Envelopes.
	"RSET\r\n" + second, "RSET\r\nmail  from: alice@example.test\r\nrcpt\tto: bob@example.test\r\nDATA\r\nMESSAGE.\r\n",
	"RSET\r\n\vMAIL FROM:<>\r\n\fRCPT TO:<bob@example.test>\r\nDATA\r\nMESSAGE.\r\n", "RSET\r\nMAIL\vFROM:<>\r\nRCPT\fTO:<bob@example.test>\r\nDATA\r\nMESSAGE.\r\n",
	"RSET\r\nMAIL  FROM :<>\r\nRCPT  TO :<bob@example.test>\r\nDATA\r\nMESSAGE.\r\n", "RSET\r\nSOML FROM:<>\r\nRCPT TO:<bob@example.test>\r\nDATA\r\nMESSAGE.\r\n",
	"RSET\r\nMAIL FROM:<\"a>b\"@example.test>\r\nRCPT TO:<\"bob\"@example.test>\r\nDATA\r\nMESSAGE.\r\n",
}

var subject = regexp.MustCompile(`(?m)^Subject: (\w+) (\d+)$`)

// TestEvasions: Postfix takes many odd spellings. None of them brings a message past
// the service.
func TestEvasions(t *testing.T) {
	l := netlab.ForTest(t)
	h := lab.MailHostForTest(t, l, lab.StartPostfix)
	ns, boxes := h.Namespace, h.Boxes
	service, err := New(Config{Name: "av", Adapter: adapter(blocking), Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	relay(t, ns, service)
	var wg sync.WaitGroup
	room := make(chan struct{}, 10)
	for _, by := range []struct {
		word string
		port int
	}{{"direct", 25}, {"evil", 2525}} {
		for i, script := range evasions {
			room <- struct{}{}
			wg.Go(func() {
				defer func() { <-room }()
				message := fmt.Sprintf("Subject: %s %d\r\n\r\nx\r\n", by.word, i)
				script = strings.NewReplacer("MESSAGE", message, "SIZE", fmt.Sprint(len(message))).Replace(script)
				answers := shout(t, ns, by.port, script)
				t.Logf("%s %d: %.60q: %s", by.word, i, script, codes(answers))
			})
		}
	}
	wg.Wait()
	shout(t, ns, 2525, "DATA\r\nSubject: last 0\r\n\r\nx\r\n.\r\n")
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if _, err := boxes.WaitMessage(ctx, "bob", "Subject: last 0\n"); err != nil {
		t.Fatal(err)
	}
	messages, err := boxes.Messages("bob")
	if err != nil {
		t.Fatal(err)
	}
	delivered := map[string]int{}
	for _, m := range messages {
		for _, found := range subject.FindAllStringSubmatch(m, -1) {
			if delivered[found[1]]++; found[1] == "evil" {
				t.Errorf("%s %s was delivered:\n%s", found[1], found[2], m)
			}
		}
	}
	if delivered["direct"] < len(evasions)/2 {
		t.Errorf("Postfix itself takes %d of %d: the scripts are wrong", delivered["direct"], len(evasions))
	}
	t.Logf("Postfix itself takes %d of %d", delivered["direct"], len(evasions))
}

// shout sends a script at once, and returns what the server says to it.
func shout(t *testing.T, ns *netlab.Namespace, port int, script string) string {
	c, err := ns.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
	if err != nil {
		t.Error(err)
		return ""
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(30 * time.Second))
	io.WriteString(c, "EHLO client.test\r\nMAIL FROM:<alice@example.test>\r\nRCPT TO:<bob@example.test>\r\n"+script+"QUIT\r\n")
	c.(*net.TCPConn).CloseWrite()
	answers, _ := io.ReadAll(c) // a session that fails is reset
	return string(answers)
}
