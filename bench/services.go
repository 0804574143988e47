package bench

import (
	"context"
	"fmt"
	"os/exec"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
)

// What has programs show requests and responses to the ICAP server, with a preview
// that it answers with 204. Nobody is shown a message by parsedYAML: each is longer
// than that.
const (
	icapYAML = `services:
  - {name: echo, kind: icap, url: "icap://127.0.0.1:1344/echo"}
policy: {default: bump, services: [echo]}
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
icap_service requests reqmod_precache bypass=off icap://127.0.0.1:1344/echo
icap_service responses respmod_precache bypass=off icap://127.0.0.1:1344/echo
adaptation_access requests allow all
adaptation_access responses allow all
`
)

// icap starts an ICAP server that gives messages back, for the contenders that are
// to show them to one. It is not charged.
func (b *bed) icap() error {
	if !b.takes(oursICAP) && !b.takes(squidICAP) {
		return nil
	}
	if _, err := exec.LookPath("c-icap"); err != nil {
		return err
	}
	dir, err := b.gateway.Lab.Dir("icap")
	if err != nil {
		return err
	}
	_, err = lab.StartICAP(b.gateway.Box, dir, nil)
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
