package bench

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
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
	pid     int
}

// Names in the report. Ratios refer to them.
const (
	ours         = "clearspan"
	oursMirror   = "clearspan + mirror port"
	oursFiles    = "clearspan + pcapng"
	oursWire     = "clearspan, wire"
	haproxy      = "HAProxy"
	split        = "SSLsplit"
	splitMirror  = "SSLsplit -I"
	sslsplitPort = "peer0" // the interface SSLsplit mirrors to: it insists on ARP
)

// contenders starts every program that is installed; skipped says which are not.
func (b *bed) contenders() (list []*contender, skipped []string, err error) {
	for i, p := range []struct {
		name, program string
		start         func(dir string, port int) (int, error)
	}{
		{ours, b.Binary, b.clearspan("")},
		{haproxy, "haproxy", b.haproxy},
		{oursMirror, b.Binary, b.clearspan("mirror:\n  - {name: recorder, kind: interface, interface: " + lab.MirrorInterface + "}\n")},
		{splitMirror, "sslsplit", b.sslsplit(true)},
		{oursFiles, b.Binary, b.clearspan("mirror:\n  - {name: files, kind: pcapng, directory: pcap, rotate: {size: 256MiB, keep: 2}}\n")},
		{split, "sslsplit", b.sslsplit(false)},
	} {
		if len(b.Only) > 0 && !slices.Contains(b.Only, p.name) {
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
		port := 10443 + i
		pid, err := p.start(dir, port)
		if err != nil {
			return nil, nil, fmt.Errorf("start %s: %w", p.name, err)
		}
		list = append(list, &contender{p.name, b.gateway.Client, lab.BoxLANV4, port, pid})
	}
	return list, skipped, nil
}

// clearspan returns what starts ours with the mirrors given as YAML.
func (b *bed) clearspan(mirrors string) func(string, int) (int, error) {
	return func(dir string, port int) (int, error) {
		yaml := fmt.Sprintf(`state: state
intake:
  - {name: fixed, mode: static, listen: "%s:%d", origin: "%s:443"}
origin: {roots: [%q]}
admin: {listen: "off"}
%s`, lab.BoxLANV4, port, lab.OriginV4, b.pki.RootFile, mirrors)
		a, err := lab.StartAppliance(b.gateway.Box, dir, b.Binary, yaml)
		if err != nil {
			return 0, err
		}
		return a.Pid(), nil
	}
}

// haproxy terminates and encrypts again; it forges and verifies nothing.
func (b *bed) haproxy(dir string, port int) (int, error) {
	pair, err := b.pki.Issue(name)
	if err != nil {
		return 0, err
	}
	pem := filepath.Join(dir, "both.pem")
	if err := join(pem, pair.CertFile, pair.KeyFile); err != nil {
		return 0, err
	}
	file := filepath.Join(dir, "haproxy.cfg")
	cfg := fmt.Sprintf(`global
  nbthread 2
  maxconn 4096
defaults
  mode tcp
  timeout connect 10s
  timeout client 1h
  timeout server 1h
listen relay
  bind %s:%d ssl crt %s no-tls-tickets
  server origin %s:443 ssl verify none sni str(%s) no-ssl-reuse
`, lab.BoxLANV4, port, pem, lab.OriginV4, name)
	if err := os.WriteFile(file, []byte(cfg), 0o644); err != nil {
		return 0, err
	}
	return b.start(dir, port, "haproxy", "-db", "-f", file)
}

// sslsplit forges and encrypts again, and verifies nothing. more are further
// proxy specifications.
func (b *bed) sslsplit(mirror bool, more ...string) func(string, int) (int, error) {
	return func(dir string, port int) (int, error) {
		ca, key, err := authority(dir)
		if err != nil {
			return 0, err
		}
		args := []string{"-c", ca, "-k", key}
		if mirror {
			if err := b.sslsplitLink(); err != nil {
				return 0, err
			}
			args = append(args, "-I", sslsplitPort, "-T", "203.0.113.2")
		}
		args = append(args, "ssl", lab.BoxLANV4, strconv.Itoa(port), lab.OriginV4, "443")
		args = append(args, more...)
		return b.start(dir, port, "sslsplit", args...)
	}
}

// sslsplitLink gives SSLsplit a mirror port with a neighbour that answers ARP.
func (b *bed) sslsplitLink() error {
	end := func(ns *netlab.Namespace, addr string) netlab.End {
		return netlab.End{Namespace: ns, Name: sslsplitPort, Addresses: []netip.Prefix{netip.MustParsePrefix(addr)}}
	}
	return b.gateway.Lab.Link(end(b.gateway.Box, "203.0.113.1/24"), end(b.gateway.Recorder, "203.0.113.2/24"), netlab.LinkOptions{})
}

// start runs a program on the box until the lab is closed, and waits until it
// listens on port.
func (b *bed) start(dir string, port int, program string, args ...string) (int, error) {
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
