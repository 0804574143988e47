package e2e

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
)

// TestRoutedDown has nothing pass an appliance that has ended, until the operator takes
// the rule away.
func TestRoutedDown(t *testing.T) {
	for _, mode := range []string{"tproxy", "redirect"} {
		t.Run(mode, func(t *testing.T) {
			page := func(c *scene, ca string) error {
				_, err := lab.Curl(c.Ctx, c.Client, ca, append(lab.Resolve(webName, lab.OriginV4), "--connect-timeout", "3", "https://"+webName+"/page.bin")...)
				return err
			}
			c := newScene(t, settings{
				Intake: fmt.Sprintf(`{name: gateway, mode: %s, listen: ":8099", from: [%s], ports: [443], down: block, strays: reset}`, mode, lab.LANInterface),
				Finish: prepared(func(c *scene) {
					if err := page(c, c.PKI.RootFile); err == nil {
						c.Error("a page loads past an appliance that has ended")
					}
					c.Clearspan("intake", "remove", "gateway")
					if err := page(c, c.PKI.RootFile); err != nil {
						c.Errorf("after the removal: %v", err)
					}
				}),
			})
			c.Page(c.Nginx(), "page.bin", 10_000)
			if err := page(c, c.CA); err != nil {
				t.Error(err)
			}
			if err := c.datagram(lab.OriginV4 + ":443"); !errors.Is(err, syscall.ECONNREFUSED) {
				t.Errorf("QUIC: %v, want refused", err)
			}
			if m := c.Metrics(); m[`clearspan_quic_datagrams_total{fate="refused",intake="gateway"}`] != 1 || m[`clearspan_strays_total{fate="reset",intake="gateway"}`] != 0 {
				t.Errorf("counted %v refused, %v reset", m[`clearspan_quic_datagrams_total{fate="refused",intake="gateway"}`], m[`clearspan_strays_total{fate="reset",intake="gateway"}`])
			}
			c.Stop()
			if n := len(c.Entries()); n != 1 {
				t.Errorf("%d entries, want 1", n)
			}
		})
	}
}

// datagram sends something to a port of UDP, and waits for an answer.
func (c *scene) datagram(to string) error {
	conn, err := c.Client.Dial("udp", to)
	if err != nil {
		return err
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(3 * time.Second))
	if _, err := conn.Write(make([]byte, 1200)); err != nil {
		return err
	}
	_, err = conn.Read(make([]byte, 100))
	return err
}

// TestRoutedExempt tunnels an origin by address, and its QUIC passes: after a reload,
// too.
func TestRoutedExempt(t *testing.T) {
	const closing = "default: bump\n"
	c := newScene(t, settings{Policy: "\n  " + closing})
	l, err := c.Origin.ListenPacket("udp", ":443")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		buf := make([]byte, 2000)
		for {
			n, from, err := l.ReadFrom(buf)
			if err != nil {
				return
			}
			l.WriteTo(buf[:n], from)
		}
	}()
	if err := c.datagram(lab.OriginV4 + ":443"); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("before: %v, want refused", err)
	}
	c.reconfigure(closing, "default: bump\n  rules: [{name: late, origin: "+lab.OriginV4+", action: tunnel}]\n", "reloaded")
	if err := c.datagram(lab.OriginV4 + ":443"); err != nil {
		t.Errorf("exempt: %v", err)
	}
	if err := c.datagram(net.JoinHostPort(lab.OriginV6, "443")); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("another address: %v, want refused", err)
	}
}

// TestBrowserRouted has Chromium load a page whose site announces QUIC: it is refused,
// and the page comes by TCP.
func TestBrowserRouted(t *testing.T) {
	c := newScene(t, settings{})
	web, err := lab.StartNginx(c.Origin, c.Directory("nginx"), []lab.Site{
		{Port: lab.HTTP1Port, Certificate: &c.Cert, HTTP1: true, AltSvc: `h3=":443"; ma=3600`},
	})
	if err != nil {
		t.Fatal(err)
	}
	c.album(web)
	site := net.JoinHostPort(webName, fmt.Sprint(lab.HTTP1Port))
	document, err := lab.Chromium(c.Ctx, c.Client, t.TempDir(), c.CA, webName, lab.OriginV4, "https://"+site+"/album.html")
	if err != nil {
		t.Fatal(err)
	}
	for i := range scripts {
		if !strings.Contains(document, fmt.Sprintf("[loaded %d]", i)) {
			t.Errorf("object %d was not loaded", i)
		}
	}
	if n := c.Metrics()[`clearspan_quic_datagrams_total{fate="refused",intake="gateway"}`]; n == 0 {
		t.Error("no datagram of QUIC was refused")
	}
}
