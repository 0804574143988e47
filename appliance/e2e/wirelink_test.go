package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/hack/tempo"
)

// TestWireLink pulls the cable of a wire whose legs follow each other. The process has
// given up root, and all files and calls but a few, when it takes the other leg down.
func TestWireLink(t *testing.T) {
	c := wireScene(t, "late, link: both", "{default: bump}", 0)
	page := c.Page(c.Nginx(), "page.bin", 1000)
	get := func() {
		t.Helper()
		r, err := lab.Curl(c.Ctx, c.Client, c.CA, append(lab.Resolve(webName, lab.OriginV4), "https://"+webName+"/page.bin")...)
		if err != nil || r.Stdout != string(page) {
			t.Errorf("got %d octets of %d, %v", len(r.Stdout), len(page), err)
		}
	}
	get()
	setLink(t, c.Client, false)
	held := fmt.Sprintf("%s is down, because %s has no carrier", lab.WANInterface, lab.LANInterface)
	tempo.Until(t, held, func() bool {
		return strings.Contains(c.Clearspan("wire", "status", c.wire), held) && !hasCarrier(t, c.Origin)
	})
	setLink(t, c.Client, true)
	tempo.Until(t, "the other leg comes up", func() bool {
		return !strings.Contains(c.Clearspan("wire", "status", c.wire), "is down") && hasCarrier(t, c.Origin)
	})
	get()
	c.Stop()
}

// setLink sets eth0 of an end up or down.
func setLink(t *testing.T, ns *netlab.Namespace, up bool) {
	t.Helper()
	err := ns.Do(func() error {
		link, err := netlink.LinkByName(lab.ClientInterface)
		if err != nil {
			return err
		}
		if up {
			return netlink.LinkSetUp(link)
		}
		return netlink.LinkSetDown(link)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// hasCarrier reports whether eth0 of an end has one.
func hasCarrier(t *testing.T, ns *netlab.Namespace) (has bool) {
	t.Helper()
	err := ns.Do(func() error {
		link, err := netlink.LinkByName(lab.OriginInterface)
		if err == nil {
			has = link.Attrs().RawFlags&unix.IFF_LOWER_UP != 0
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return has
}
