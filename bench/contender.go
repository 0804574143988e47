package bench

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
)

// contender is a running program under test.
type contender struct {
	name    string
	clients *netlab.Namespace
	address string // where clients connect to, and get to the origin
	port    int
	target  string // what they ask a proxy for with CONNECT; "" if it is none
	pid     int

	peer    bool // not ours
	forges  bool // certificates
	tickets bool // gives clients session tickets
	slow    bool // by so much that it is given less to do

	caches *sync.Map // tls.ClientSessionCache by worker
	worked time.Time // the end of the last work
}

// cache returns the tickets that a worker has from this contender.
func (c *contender) cache(worker int) tls.ClientSessionCache {
	cache, _ := c.caches.LoadOrStore(worker, tls.NewLRUClientSessionCache(4))
	return cache.(tls.ClientSessionCache)
}

// Names in the report. Ratios refer to them.
const (
	ours         = "clearspan"
	oursAgainst  = "other clearspan"
	oursMirror   = "clearspan + mirror port"
	oursFiles    = "clearspan + pcapng"
	oursRecorder = "clearspan + recorder"            // the worker alone
	oursRecorded = "clearspan + recorder + analysis" // with the analysis
	otherMirror  = "other clearspan + mirror port"
	otherFiles   = "other clearspan + pcapng"
	oursWire     = "clearspan wire"
	haproxy      = "HAProxy"
	oursTick     = "clearspan with tickets"
	haproxyTick  = "HAProxy with tickets"
	split        = "SSLsplit"
	splitMirror  = "SSLsplit -I"
	squid        = "Squid"
	mitmproxy    = "mitmproxy"
	oursParsed   = "clearspan + HTTP parsed"
	oursInline   = "clearspan + inline"
	oursICAP     = "clearspan + ICAP"
	squidICAP    = "Squid + ICAP"
	ours204      = "clearspan + ICAP 204"
	squid204     = "Squid + ICAP 204"
	otherICAP    = "other clearspan + ICAP"
	other204     = "other clearspan + ICAP 204"
	floor        = "floor: TCP copy + AES-GCM"
	sslsplitPort = "peer0" // the interface SSLsplit mirrors to: it insists on ARP
)

// What is configured of mirrors, as YAML.
const (
	mirrorYAML = "mirror:\n  - {name: recorder, kind: interface, interface: " + lab.MirrorInterface + "}\n"
	recordYAML = "recorder:\n  source: [{name: own, kind: engine}]\n  retain: {packets: {size: 512MiB}}\n"
	filesYAML  = "mirror:\n  - {name: files, kind: pcapng, directory: pcap, rotate: {size: 256MiB, keep: 2}}\n"
)

// start starts a program that serves on a port of the box, and returns its
// process.
type start func(ctx context.Context, dir string, port int) (pid int, err error)

// contenders starts every program that is installed; skipped says which are not.
func (b *bed) contenders(ctx context.Context) (list []*contender, skipped []string, err error) {
	target := lab.OriginV4 + ":443"
	if err := b.icap(); err != nil {
		skipped = append(skipped, fmt.Sprintf("ICAP: %v", err))
	}
	against := ""
	if b.Against != "" {
		against = "c-icap"
	}
	floorProgram := ""
	if len(b.Floor) > 0 {
		floorProgram = b.Floor[0]
	}
	for i, p := range []struct {
		contender
		program string
		begin   start
	}{
		{contender{name: ours, forges: true}, b.Binary, b.clearspan(b.Binary, "")},
		{contender{name: oursAgainst, forges: true}, b.Against, b.clearspan(b.Against, "")},
		{contender{name: haproxy, peer: true}, "haproxy", b.haproxy(false)},
		{contender{name: oursMirror, forges: true}, b.Binary, b.clearspan(b.Binary, mirrorYAML)},
		{contender{name: otherMirror, forges: true}, b.Against, b.clearspan(b.Against, mirrorYAML)},
		{contender{name: splitMirror, peer: true, forges: true}, "sslsplit", b.sslsplit(true)},
		{contender{name: oursFiles, forges: true}, b.Binary, b.clearspan(b.Binary, filesYAML)},
		{contender{name: otherFiles, forges: true}, b.Against, b.clearspan(b.Against, filesYAML)},
		{contender{name: oursRecorder, forges: true}, b.Binary, b.clearspan(b.Binary, recordYAML)},
		{contender{name: oursRecorded, forges: true}, b.Binary, b.whole(b.Binary, recordYAML)},
		{contender{name: split, peer: true, forges: true}, "sslsplit", b.sslsplit(false)},
		{contender{name: oursTick, forges: true, tickets: true}, b.Binary, b.clearspan(b.Binary, withTickets)},
		{contender{name: haproxyTick, peer: true, tickets: true}, "haproxy", b.haproxy(true)},
		{contender{name: squid, peer: true, forges: true, target: target}, "/usr/lib/squid/security_file_certgen", b.squid("")},
		{contender{name: mitmproxy, peer: true, forges: true, slow: true}, "mitmdump", b.mitmproxy},
		{contender{name: oursParsed, forges: true}, b.Binary, b.clearspan(b.Binary, parsedYAML)},
		{contender{name: oursInline, forges: true}, b.Binary, b.inline},
		{contender{name: oursICAP, forges: true}, "c-icap", b.clearspan(b.Binary, fmt.Sprintf(icapYAML, lab.EchoService))},
		{contender{name: otherICAP, forges: true}, against, b.clearspan(b.Against, fmt.Sprintf(icapYAML, lab.EchoService))},
		{contender{name: squidICAP, peer: true, forges: true, target: target}, "c-icap", b.squid(fmt.Sprintf(icapSquid, lab.EchoService))},
		{contender{name: ours204, forges: true}, "c-icap", b.clearspan(b.Binary, fmt.Sprintf(icapYAML, lab.ScanService))},
		{contender{name: other204, forges: true}, against, b.clearspan(b.Against, fmt.Sprintf(icapYAML, lab.ScanService))},
		{contender{name: squid204, peer: true, forges: true, target: target}, "c-icap", b.squid(fmt.Sprintf(icapSquid, lab.ScanService))},
		{contender{name: floor, peer: true}, floorProgram, b.floor},
	} {
		if !b.takes(p.name) || p.program == "" {
			continue
		}
		if _, err := exec.LookPath(p.program); err != nil {
			skipped = append(skipped, fmt.Sprintf("%s: %s is not installed", p.name, p.program))
			continue
		}
		dir, err := b.gateway.Lab.Dir("contender" + strconv.Itoa(i))
		if err != nil {
			return nil, nil, err
		}
		c := &p.contender
		c.clients, c.address, c.port, c.caches = b.gateway.Client, lab.BoxLANV4, 10443+i, new(sync.Map)
		if c.pid, err = p.begin(ctx, dir, c.port); err != nil {
			if c.peer {
				skipped = append(skipped, fmt.Sprintf("%s: %v", p.name, err))
				continue
			}
			return nil, nil, fmt.Errorf("start %s: %w", p.name, err)
		}
		list = append(list, c)
	}
	return list, skipped, nil
}

// withTickets has [bed.clearspan] resume sessions on both legs.
const withTickets = "client: {resumption: true}\n"

// clearspan returns what starts one of ours with more of a configuration, as YAML.
func (b *bed) clearspan(binary, more string) start {
	return func(_ context.Context, dir string, port int) (int, error) {
		a, err := b.appliance(dir, port, binary, more)
		if err != nil {
			return 0, err
		}
		return cmp.Or(a.Worker(), a.Pid()), nil // versions before the keeper are one process
	}
}

// whole is clearspan, but all processes count.
func (b *bed) whole(binary, more string) start {
	return func(_ context.Context, dir string, port int) (int, error) {
		a, err := b.appliance(dir, port, binary, more)
		if err != nil {
			return 0, err
		}
		return a.Pid(), nil
	}
}

// appliance starts one of ours in front of the origin.
func (b *bed) appliance(dir string, port int, binary, more string) (*lab.Appliance, error) {
	resumption := more == withTickets
	if !resumption {
		more = "client: {resumption: false}\n" + more
	}
	var flags []string
	if b.Profiles != "" && binary == b.Binary {
		flags = []string{"--profile", filepath.Join(b.Profiles, filepath.Base(dir)+".pprof")}
	}
	return lab.StartAppliance(b.gateway.Box, dir, binary, fmt.Sprintf(`state: state
intake:
  - {name: fixed, mode: static, listen: "%s:%d", origin: "%s:443"}
origin: {roots: [%q], resumption: %t}
admin: {listen: "off"}
%s`, lab.BoxLANV4, port, lab.OriginV4, b.pki.RootFile, resumption, more), flags...)
}

// serveBy runs a program on the box until the lab is closed, and waits until it
// listens on port.
func (b *bed) serveBy(dir string, port int, program string, args ...string) (int, error) {
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		return 0, err
	}
	defer log.Close()
	cmd := b.gateway.Box.Command(context.Background(), program, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, log, log
	if err := cmd.Start(); err != nil {
		return 0, err
	}
	addr := net.JoinHostPort(lab.BoxLANV4, strconv.Itoa(port))
	for range 200 {
		select {
		case <-cmd.Done():
			text, _ := os.ReadFile(log.Name())
			return 0, fmt.Errorf("ended at once: %v\n%s", cmd.Wait(), text)
		case <-time.After(50 * time.Millisecond):
		}
		if c, err := b.gateway.Box.Dial("tcp", addr); err == nil {
			c.Close()
			return cmd.Pid(), nil
		}
	}
	return 0, fmt.Errorf("does not listen on %s", addr)
}

// join writes several files into one.
func join(out string, in ...string) error {
	w, err := os.OpenFile(out, os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)
	if err != nil {
		return err
	}
	defer w.Close()
	for _, name := range in {
		r, err := os.Open(name)
		if err != nil {
			return err
		}
		_, err = io.Copy(w, r)
		r.Close()
		if err != nil {
			return err
		}
	}
	return nil
}
