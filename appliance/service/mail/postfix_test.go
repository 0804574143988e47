package mail

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clearspan/clearspan/appliance/service/icap"
	"github.com/clearspan/clearspan/decrypt"
	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
)

// relay carries sessions from port 2525 to Postfix until the test ends.
func relay(t *testing.T, ns *netlab.Namespace, service *Service) {
	ln, err := ns.Listen("tcp", "127.0.0.1:2525")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				o, err := ns.Dial("tcp", "127.0.0.1:25")
				if err != nil {
					t.Error(err)
					return
				}
				defer o.Close()
				s := &decrypt.Session{ID: "0123456789abcdef"}
				var v *violation
				if err := service.Carry(t.Context(), s, end{c.(*net.TCPConn)}, end{o.(*net.TCPConn)}); err != nil && !errors.As(err, &v) {
					t.Error(err)
				}
			})
		}
	})
	t.Cleanup(func() {
		ln.Close()
		wg.Wait()
	})
}

// swaks sends to Postfix, with the service between them, whose server is c-icap
// with ClamAV.
func TestPostfix(t *testing.T) {
	l := netlab.ForTest(t)
	h := lab.MailHostForTest(t, l, lab.StartPostfix)
	ns, boxes, postfix := h.Namespace, h.Boxes, h.Server
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	dir := func(name string) string {
		d, err := l.Dir(name)
		must(err)
		return d
	}
	server, err := lab.StartICAP(ns, dir("icap"), nil)
	must(err)
	client, err := icap.New(icap.Config{
		URLs: []string{fmt.Sprintf("icap://127.0.0.1:%d/%s", lab.ICAPPort, lab.ScanService)}, Dial: ns.DialContext, Timeout: 10 * time.Second,
	})
	must(err)
	defer client.Close()
	var mu sync.Mutex
	var words []string
	service, err := New(Config{Name: "av", Adapter: client, Dir: dir("spool"), Memory: 4096, Observe: func(_, word string, _ time.Duration) {
		mu.Lock()
		defer mu.Unlock()
		words = append(words, word)
	}})
	must(err)
	relay(t, ns, service)

	attached := "MIME-Version: 1.0\nContent-Type: application/octet-stream; name=a.com\nContent-Transfer-Encoding: base64\n\n" +
		base64.StdEncoding.EncodeToString([]byte(lab.EICAR())) + "\n"
	for _, tt := range []struct {
		name, header, body string
		blocked            bool
	}{
		{"clean", "", "\nfirst line\n.dot line\n..\n" + strings.Repeat("Nothing to see here.\n", 1000) + "last line\n", false},
		{"in the text", "", "\n" + lab.EICAR() + "\n", true},
		{"attached", "", attached, true},
		{"clean again", "", "\nfirst line\nlast line\n", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), 60*time.Second)
			defer cancel()
			r, err := lab.Swaks(ctx, ns, lab.Mail{Server: "127.0.0.1", Port: 2525, Plain: true, From: "alice@example.test", To: "bob@example.test",
				Data: "From: alice@example.test\nTo: bob@example.test\nSubject: " + tt.name + "\n" + tt.body}, "--pipeline")
			if refused := strings.Contains(r.Stdout, "554 5.7.1 Message refused: "+lab.Threat); refused != tt.blocked || refused == (err == nil) {
				t.Fatalf("%v\n%s", err, r.Stdout)
			}
			if tt.blocked {
				return
			}
			got, err := boxes.WaitMessage(ctx, "bob", "Subject: "+tt.name+"\n")
			if err != nil {
				t.Fatalf("%v\n%s", err, postfix.Log())
			}
			_, got, _ = strings.Cut(got, "\n\n") // behind the header, to which Postfix adds
			if strings.TrimRight(got, "\n") != strings.Trim(tt.body, "\n") {
				t.Errorf("delivered:\n%s", got)
			}
		})
	}
	if messages, err := boxes.Messages("bob"); err != nil || len(messages) != 2 {
		t.Errorf("%d messages were delivered, want 2; %v", len(messages), err)
	}
	mu.Lock()
	defer mu.Unlock()
	if !slices.Equal(words, []string{WordUnmodified, WordBlocked, WordBlocked, WordUnmodified}) {
		t.Errorf("results are %v\n%s", words, server.Log())
	}
	requests, err := server.Requests()
	must(err)
	t.Logf("c-icap served: %s", strings.Join(requests, "; "))
	if log := postfix.Log(); strings.Contains(log, "lost connection after RSET") || strings.Contains(log, "lost connection after DATA") {
		t.Errorf("Postfix lost a connection:\n%s", log)
	}
}
