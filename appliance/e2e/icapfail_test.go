package e2e

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestICAPFails slows the scanner down, has it stand still, and kills it. Who is
// slow fails nothing. Of one that says nothing within its time-out, or is gone,
// web sessions and mail are refused or go on, as on_failure says; a body in the
// middle of which it stops is cut off; sessions that go through no service do not
// notice; nothing is left behind.
func TestICAPFails(t *testing.T) {
	for _, tt := range []struct{ how, status, word, mail string }{
		{"closed", "503", "failed-closed", "451 4.7.1"},
		{"open", "200", "failed-open", ""},
	} {
		t.Run(tt.how, func(t *testing.T) {
			const timeout = 3 * time.Second
			var server *lab.ICAP
			service := "  - {name: %s, kind: icap, url: \"icap://127.0.0.1:1344/%s\", mode: [respmod], %s timeout: " + timeout.String() + ", on_failure: " + tt.how + "}\n"
			c := newScene(t, settings{
				Prepare: prepared(func(c *scene) { server = c.icap() }),
				Policy: "{default: bump, services: [av], rules: [{name: unseen, host: [" + mailName + "], port: [443], action: bump, services: none}," +
					fmt.Sprintf(" {name: streamed, port: [%d], action: bump, services: [echo]}]}", lab.HTTP1Port),
				More:  "services:\n" + fmt.Sprintf(service, "av", "avscan", "") + fmt.Sprintf(service, "echo", "echo", "preview: off,"),
				Lasts: 2 * time.Minute,
			})
			web, boxes := c.Nginx(), c.postfix()
			page := c.Page(web, "page", 30_000)
			const large = "/large.bin"
			c.Page(web, large, 64<<20) // more than there are buffers for
			before := c.Metrics()
			before["process_open_fds"] += 8 // connections to the service are kept

			// everything sends what goes through the service, and what does not.
			sent := 0
			everything := func(status, mail string) {
				t.Helper()
				for _, version := range []string{"--http1.1", "--http2"} {
					start := time.Now()
					x := c.Fetch(version, "https://"+webName+"/page")
					if x.Status != status || bytes.Equal(x.Content, page) != (status == "200") {
						t.Errorf("%s: status %s, %d octets", version, x.Status, len(x.Content))
					}
					if took := time.Since(start); took > timeout+10*time.Second {
						t.Errorf("%s: took %v", version, took)
					}
					x = c.Fetch(version, "--connect-to", mailName+":443:"+lab.OriginV4+":443", "https://"+mailName+"/page")
					scenetest.Same(t, "page that goes through no service", x.Content, page)
				}
				m := lab.Mail{Server: lab.OriginV4, Port: lab.SMTPSPort, From: sender, To: user + "@" + domain, Data: letter("a letter", "text\n"), CA: c.CA, Name: mailName}
				r, err := lab.Swaks(c.Ctx, c.Client, m)
				if mail == "" && err != nil || mail != "" && (err == nil || !strings.Contains(r.Stdout, mail)) {
					t.Errorf("mail: %v\n%s", err, r.Stdout)
				}
				if mail == "" {
					sent++
				}
			}
			signal := func(sig syscall.Signal) {
				if err := server.SignalAll(sig); err != nil {
					t.Error(err)
				}
			}
			everything("200", "")

			stop := make(chan struct{})
			var turns sync.WaitGroup
			turns.Go(func() {
				for over := false; !over; {
					signal(syscall.SIGSTOP)
					time.Sleep(timeout / 10)
					signal(syscall.SIGCONT)
					select {
					case <-stop:
						over = true
					case <-time.After(timeout / 20):
					}
				}
			})
			everything("200", "")
			close(stop)
			turns.Wait()

			begun := c.begin(large)
			signal(syscall.SIGSTOP)
			if n, err := io.Copy(io.Discard, begun); err == nil {
				t.Errorf("a body whose service stands still ended in order after %d octets", n)
			}
			begun.Close()
			everything(tt.status, tt.mail)
			signal(syscall.SIGCONT)
			const done = `clearspan_service_decision_seconds_count{result="unmodified",service="av"}`
			scenetest.Eventually(t, "the scanner is asked again", func() bool {
				before := c.Metrics()[done]
				c.Fetch("https://" + webName + "/page")
				return c.Metrics()[done] > before
			})
			signal(syscall.SIGKILL)
			<-server.Done()
			everything(tt.status, tt.mail)
			c.Quiet(before)
			scenetest.Eventually(t, "mail is delivered", func() bool {
				list, err := boxes.Messages(user)
				return err == nil && len(list) == sent
			})
			c.Stop()
			words := make(map[string]int)
			for _, e := range c.Entries() {
				words[e.Service["av"]]++
			}
			if words["unmodified"] < 7 || words[tt.word] < 6 {
				t.Errorf("entries say %v", words)
			}
		})
	}
}

// begin begins a download through the port of HTTP/1.1, and returns the rest of it.
func (c *scene) begin(path string) io.ReadCloser {
	c.Helper()
	client := http.Client{Timeout: time.Minute, Transport: &http.Transport{
		DialContext:       c.Client.DialContext,
		TLSClientConfig:   &tls.Config{RootCAs: c.Pool(c.CA), ServerName: webName},
		DisableKeepAlives: true, DisableCompression: true,
	}}
	r, err := client.Get(fmt.Sprintf("https://%s:%d%s", lab.OriginV4, lab.HTTP1Port, path))
	if err != nil {
		c.Fatal(err)
	}
	if _, err := io.CopyN(io.Discard, r.Body, 64<<10); err != nil {
		c.Fatal(err)
	}
	return r.Body
}
