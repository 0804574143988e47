package e2e

import (
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/scenetest"
)

// TestDescriptorsRunOut lets an appliance with few file descriptors have more
// connections than it can serve, and gives them up again.
func TestDescriptorsRunOut(t *testing.T) {
	c := newScene(t, settings{NoFile: 256})
	web := c.Nginx()
	page := c.Page(web, "page", 100_000)
	session := c.Chat(firstPort)
	session.Exchange(3)

	const idle = firstPort + 1
	c.Listen(idle, func(conn net.Conn) { io.Copy(io.Discard, conn) })
	var held []net.Conn
	for range 300 {
		if conn, err := c.Client.DialContext(c.Ctx, "tcp", net.JoinHostPort(lab.OriginV4, strconv.Itoa(idle))); err == nil { // else refused
			held = append(held, conn)
		}
	}
	c.AwaitLog(1, "session refused", "descriptors-short")
	session.Exchange(3) // a session that has begun does not notice
	for _, conn := range held {
		conn.Close()
	}
	released := time.Now()
	x := c.Fetch("--retry", "20", "--retry-delay", "0", "--retry-all-errors", "--retry-max-time", "5", "https://"+webName+"/page")
	scenetest.Same(t, "page", x.Content, page)
	if took := time.Since(released); took > 5*time.Second {
		t.Errorf("usual service came back after %v", took)
	}
	session.Exchange(3)
	session.End()
	const refused = `clearspan_intake_refusals_total{intake="gateway",reason="descriptors-short"}`
	if n := c.Metrics()[refused]; n == 0 {
		t.Errorf("%s is not counted", refused)
	}
	select {
	case <-c.Appliance.Done():
		t.Error("the appliance has ended")
	default:
	}
	c.Stop()
	if e := c.EntryOf(c.Entries(), scenetest.LocalPort(session.Conn)); e.Outcome != "bumped" || e.Reason != "" {
		t.Errorf("entry %+v", e)
	}
}
