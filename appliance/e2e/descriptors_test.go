package e2e

import (
	"io"
	"net"
	"strconv"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
)

// TestDescriptorsRunOut lets an appliance with few file descriptors have more
// connections than it can serve, and gives them up again.
func TestDescriptorsRunOut(t *testing.T) {
	c := newScene(t, settings{nofile: 256})
	web := c.nginx()
	page := c.page(web, "page", 100_000)
	session := c.chat(firstPort)
	session.exchange(3)

	const idle = firstPort + 1
	c.listen(idle, func(conn net.Conn) { io.Copy(io.Discard, conn) })
	var held []net.Conn
	for range 300 {
		if conn, err := c.Client.DialContext(c.ctx, "tcp", net.JoinHostPort(lab.OriginV4, strconv.Itoa(idle))); err == nil { // else refused
			held = append(held, conn)
		}
	}
	c.awaitLog(1, "session refused", "descriptors-short")
	session.exchange(3) // a session that has begun does not notice
	for _, conn := range held {
		conn.Close()
	}
	released := time.Now()
	x := c.fetch("--retry", "20", "--retry-delay", "0", "--retry-all-errors", "--retry-max-time", "5", "https://"+webName+"/page")
	same(t, "page", x.content, page)
	if took := time.Since(released); took > 5*time.Second {
		t.Errorf("usual service came back after %v", took)
	}
	session.exchange(3)
	session.end()
	const refused = `clearspan_intake_refusals_total{intake="gateway",reason="descriptors-short"}`
	if n := c.metrics()[refused]; n == 0 {
		t.Errorf("%s is not counted", refused)
	}
	select {
	case <-c.appliance.Done():
		t.Error("the appliance has ended")
	default:
	}
	c.stop()
	if e := c.entryOf(c.entries(), localPort(session.conn)); e.Outcome != "bumped" || e.Reason != "" {
		t.Errorf("entry %+v", e)
	}
}
