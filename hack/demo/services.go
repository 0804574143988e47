package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"github.com/clearspan/clearspan/hack/lab"
)

// filesName is whose sessions go through the services.
const filesName = "files.example.test"

// scanner is the virus scanner's name in the configuration and the audit.
const scanner = "av"

// threat is a page that the device drops requests for.
const threat = "exploit"

// threatRule matches "GET /exp" behind a TCP header with time stamps.
const threatRule = `table bridge ips {
  chain forward {
    type filter hook forward priority 0
    tcp dport 80 @th,256,64 0x474554202f657870 drop
  }
}
`

// device returns the inline device's name. It is the machine's.
func device() string { return fmt.Sprintf("bridge-%d", os.Getpid()) }

// servicesConfig has the sessions of filesName go through both.
func servicesConfig() string {
	return fmt.Sprintf(`services:
  - {name: %[1]s, kind: icap, url: "icap://127.0.0.1:%[2]d/%[3]s", on_failure: closed}
  - {name: %[4]s, kind: inline, legs: [%[5]s, %[6]s], timeout: 1s, on_failure: closed}
policy:
  default: bump
  rules:
    - {name: files, host: %[7]s, action: bump, services: [%[1]s, %[4]s]}
`, scanner, lab.ICAPPort, lab.ScanService, device(), lab.NearInterface, lab.FarInterface, filesName)
}

// startServices starts the scanner in the box and a bridge beside it.
func startServices(ctx context.Context, g *lab.Gateway, dir string) error {
	if _, err := lab.StartICAP(g.Box, dir, nil); err != nil {
		return err
	}
	d, err := g.AddDevice()
	if err != nil {
		return fmt.Errorf("make inline device: %w", err)
	}
	return errors.Join(lab.Bridge(ctx, d), lab.NFT(ctx, d, threatRule))
}

// inspected is a page that curl asks for through the services.
type inspected struct {
	page, version string
	status        string // HTTP version and status as curl writes them; empty: reset
	holds         string // what the answer holds
	told          string // of the answer
	result        map[string]string

	client string // address:port, as the client knows it
}

// inspection returns what is asked for.
func inspection() []inspected {
	return []inspected{
		{page: "report.txt", version: "--http1.1", status: "1.1 200", holds: "Nothing is wrong", told: "both let it pass",
			result: map[string]string{scanner: "unmodified", device(): "carried"}},
		{page: "invoice.com", version: "--http2", status: "2 403", holds: lab.Threat, told: "the scanner's page: " + lab.Threat,
			result: map[string]string{scanner: "blocked", device(): "carried"}},
		{page: threat, version: "--http1.1", told: "reset: the bridge dropped the request",
			result: map[string]string{scanner: "unmodified", device(): "timed-out"}},
	}
}

// run has curl ask for the page.
func (i *inspected) run(ctx context.Context, s *stage, out *story) error {
	got := filepath.Join(s.box, "inspected-"+i.page)
	url := "https://" + filesName + "/" + i.page
	r, err := lab.Curl(ctx, s.gateway.Client, s.ca, append(lab.Resolve(filesName, lab.OriginV4), i.version, "--output", got,
		"--write-out", "%{local_ip} %{local_port} %{http_version} %{response_code}", url)...)
	facts := strings.SplitN(r.Stdout, " ", 3)
	if len(facts) != 3 {
		return fmt.Errorf("fetch %s: curl says %q (%v)", url, r.Stdout, err)
	}
	i.client = net.JoinHostPort(facts[0], facts[1])
	if i.status == "" {
		if err == nil || ctx.Err() != nil {
			return fmt.Errorf("fetch %s: want no answer, not HTTP/%s (%v)", url, facts[2], err)
		}
		out.say("  curl   %-42s %s\n", url, i.told)
		return nil
	}
	if err != nil {
		return fmt.Errorf("fetch %s: %w", url, err)
	}
	text, err := os.ReadFile(got)
	if err != nil {
		return err
	}
	if facts[2] != i.status || !strings.Contains(string(text), i.holds) {
		return fmt.Errorf("fetch %s: HTTP/%s and %.200q, want HTTP/%s and %q", url, facts[2], text, i.status, i.holds)
	}
	version, status, _ := strings.Cut(i.status, " ")
	out.say("  curl   %-42s HTTP/%-3s %s, %s\n", url, version, status, i.told)
	return nil
}

// compareServices holds what the audit entry says of the services against what the
// client has seen, and what the origin was asked against what it was to be asked.
func (r *recording) compareServices(out *story, pages []inspected) {
	for _, i := range pages {
		var got map[string]string
		for _, e := range r.entries {
			if e.Client.String() == i.client {
				got = e.Service
			}
		}
		same := len(got) == len(i.result)
		for name, word := range i.result {
			same = same && got[name] == word
		}
		out.check(same, fmt.Sprintf("%s, audit entry: scanner %s, bridge %s", i.page, i.result[scanner], i.result[device()]),
			fmt.Sprintf("the entry says %v", got))
	}
	out.check(!strings.Contains(r.served, "/"+threat), "no request for "+threat+" in the origin's log", r.served)
}
