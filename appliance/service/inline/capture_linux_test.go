package inline

import (
	"context"
	"os"
	"strings"
	"time"

	"github.com/clearspan/clearspan/hack/netlab"
)

// capture records frames at a port of the device until it is read.
type capture struct {
	b    *testbed
	file string
	cmd  *netlab.Cmd // nil when it has ended
}

func (b *testbed) capture(port string) *capture {
	b.t.Helper()
	dir, err := b.lab.Dir("capture")
	if err != nil {
		b.t.Fatal(err)
	}
	c := &capture{b: b, file: dir + "/device.pcap"}
	ready := new(logBuffer)
	cmd := b.device.Command(context.Background(), "tcpdump", "-U", "--immediate-mode", "-B", "65536", "-s", "0", "-i", port, "-w", c.file, "tcp or (vlan and tcp)")
	cmd.Stderr = ready
	if err := cmd.Start(); err != nil {
		b.t.Fatal(err)
	}
	c.cmd = cmd
	b.await("tcpdump listens", func() bool { return strings.Contains(ready.String(), "listening on") })
	return c
}

// tshark ends the capture and reads it.
func (c *capture) tshark(args ...string) string {
	c.b.t.Helper()
	if c.cmd != nil {
		size := int64(-1)
		c.b.await("nothing more is on its way to the file", func() bool {
			time.Sleep(300 * time.Millisecond)
			info, err := os.Stat(c.file)
			if err != nil {
				c.b.t.Fatal(err)
			}
			before := size
			size = info.Size()
			return size == before
		})
		c.cmd.Stop(5 * time.Second)
		c.cmd = nil
	}
	return c.b.run("tshark", append([]string{"-r", c.file, "-o", "tcp.check_checksum:TRUE", "-o", "ip.check_checksum:TRUE"}, args...)...)
}

// fields returns fields of all frames, one frame a line.
func (c *capture) fields(names ...string) string {
	c.b.t.Helper()
	args := []string{"-T", "fields"}
	for _, n := range names {
		args = append(args, "-e", n)
	}
	return c.tshark(args...)
}
