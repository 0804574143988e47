package bench

import (
	"context"
	"fmt"
	"os/exec"
	"slices"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
)

// What has programs show requests and responses to a service of the ICAP server,
// with a preview. Nobody is shown a message by parsedYAML: each is longer than that.
const (
	icapYAML = `services:
  - {name: scan, kind: icap, url: "icap://127.0.0.1:1344/%s"}
policy: {default: bump, services: [scan]}
`
	parsedYAML = `services:
  - {name: echo, kind: icap, url: "icap://127.0.0.1:1344/echo", mode: [respmod], max_body: 1}
policy: {default: bump, services: [echo]}
`
	inlineYAML = `services:
  - {name: %s, kind: inline, legs: [chain0, chain1], port: 80}
policy: {default: bump, services: [%[1]s]}
`
	icapSquid = `icap_enable on
icap_preview_enable on
icap_preview_size 1024
icap_service requests reqmod_precache bypass=off icap://127.0.0.1:1344/%[1]s
icap_service responses respmod_precache bypass=off icap://127.0.0.1:1344/%[1]s
adaptation_access requests allow all
adaptation_access responses allow all
`
)

// icap starts an ICAP server for the contenders that are to show messages to one.
// Its echo answers every other body with 204 after the preview, and gives the
// others back whole; its scanner looks into nothing that is asked for, and answers
// all with 204. It is not charged.
func (b *bed) icap() error {
	if !slices.ContainsFunc([]string{oursICAP, otherICAP, squidICAP, ours204, other204, squid204}, b.takes) {
		return nil
	}
	if _, err := exec.LookPath("c-icap"); err != nil {
		return err
	}
	dir, err := b.gateway.Lab.Dir("icap")
	if err != nil {
		return err
	}
	_, err = lab.StartICAP(b.gateway.Box, dir, nil, "GIF")
	return err
}

// inline starts ours with a bridge as the device. What the kernel does of it on
// our time is charged.
func (b *bed) inline(ctx context.Context, dir string, port int) (int, error) {
	device, err := b.gateway.Lab.Namespace("device")
	if err != nil {
		return 0, err
	}
	for i := range 2 {
		err := b.gateway.Lab.Link(netlab.End{Namespace: b.gateway.Box, Name: fmt.Sprintf("chain%d", i), Silent: true},
			netlab.End{Namespace: device, Name: fmt.Sprintf("dev%d", i), Silent: true}, netlab.LinkOptions{})
		if err != nil {
			return 0, err
		}
	}
	for _, args := range [][]string{
		{"link", "add", "name", "br0", "type", "bridge", "stp_state", "0", "forward_delay", "0", "mcast_snooping", "0"},
		{"link", "set", "dev", "dev0", "master", "br0"}, {"link", "set", "dev", "dev1", "master", "br0"}, {"link", "set", "dev", "br0", "up"},
	} {
		if out, err := device.Command(ctx, "ip", args...).CombinedOutput(); err != nil {
			return 0, fmt.Errorf("make bridge: %w: %s", err, out)
		}
	}
	return b.clearspan(b.Binary, fmt.Sprintf(inlineYAML, "bench-"+device.FullName()))(ctx, dir, port)
}
