package bench

import (
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
)

// haproxy terminates and encrypts again; it forges and verifies nothing. Without
// tickets no session is resumed on either leg.
func (b *bed) haproxy(tickets bool) start {
	return func(_ context.Context, dir string, port int) (int, error) {
		client, server := " no-tls-tickets", " no-ssl-reuse"
		if tickets {
			client, server = "", ""
		}
		pair, err := b.pki.Issue(name, "*."+domain)
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
  maxconn 9000
defaults
  mode tcp
  timeout connect 10s
  timeout client 1h
  timeout server 1h
listen relay
  bind %s:%d ssl crt %s%s
  server origin %s:443 ssl verify none sni str(%s)%s
`, lab.BoxLANV4, port, pem, client, lab.OriginV4, name, server)
		if err := os.WriteFile(file, []byte(cfg), 0o644); err != nil {
			return 0, err
		}
		return b.serveBy(dir, port, "haproxy", "-db", "-f", file)
	}
}

// sslsplit forges and encrypts again, and verifies nothing. more are further
// proxy specifications.
func (b *bed) sslsplit(mirror bool, more ...string) start {
	return func(_ context.Context, dir string, port int) (int, error) {
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
		return b.serveBy(dir, port, "sslsplit", args...)
	}
}

// sslsplitLink gives SSLsplit a mirror port with a neighbour that answers ARP.
func (b *bed) sslsplitLink() error {
	end := func(ns *netlab.Namespace, addr string) netlab.End {
		return netlab.End{Namespace: ns, Name: sslsplitPort, Addresses: []netip.Prefix{netip.MustParsePrefix(addr)}}
	}
	return b.gateway.Lab.Link(end(b.gateway.Box, "203.0.113.1/24"), end(b.gateway.Recorder, "203.0.113.2/24"), netlab.LinkOptions{})
}

// squid forges and encrypts again, as a proxy that clients ask by CONNECT. It
// caches nothing and verifies nothing. more are further lines of its configuration.
func (b *bed) squid(more string) start {
	return func(_ context.Context, dir string, port int) (int, error) { return b.startSquid(dir, port, more) }
}

func (b *bed) startSquid(dir string, port int, more string) (int, error) {
	ca, key, err := authority(dir)
	if err != nil {
		return 0, err
	}
	both, db := filepath.Join(dir, "both.pem"), filepath.Join(dir, "certificates")
	if err := join(both, ca, key); err != nil {
		return 0, err
	}
	if out, err := exec.Command("/usr/lib/squid/security_file_certgen", "-c", "-s", db, "-M", "16MB").CombinedOutput(); err != nil {
		return 0, fmt.Errorf("make certificate store: %w: %s", err, out)
	}
	if err := give(dir, "proxy"); err != nil {
		return 0, err
	}
	file := filepath.Join(dir, "squid.conf")
	cfg := fmt.Sprintf(`http_port %s:%d ssl-bump cert=%s generate-host-certificates=on dynamic_cert_mem_cache_size=16MB
sslcrtd_program /usr/lib/squid/security_file_certgen -s %s -M 16MB
sslcrtd_children 4 startup=4
acl all_ports port 443
http_access allow all_ports
acl begin at_step SslBump1
ssl_bump peek begin
ssl_bump bump all
tls_outgoing_options flags=DONT_VERIFY_PEER
sslproxy_cert_error allow all
cache deny all
access_log none
cache_log %s
cache_store_log none
pid_filename none
netdb_filename none
coredump_dir %[6]s
shutdown_lifetime 0 seconds
pinger_enable off
max_filedescriptors 20000
via off
forwarded_for delete
%s`, lab.BoxLANV4, port, both, db, filepath.Join(dir, "cache.log"), dir, more)
	if err := os.WriteFile(file, []byte(cfg), 0o644); err != nil {
		return 0, err
	}
	return b.serveBy(dir, port, "squid", "-N", "-f", file)
}

// give hands a directory and what is in it to a user, under whom a program runs.
func give(dir, name string) error {
	u, err := user.Lookup(name)
	if err != nil {
		return err
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		return err
	}
	return filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return os.Lchown(path, uid, -1)
	})
}

// mitmproxy forges and encrypts again, in front of the origin. It verifies
// nothing, and streams what is large.
func (b *bed) mitmproxy(_ context.Context, dir string, port int) (int, error) {
	return b.serveBy(dir, port, "mitmdump", "-q", "--mode", fmt.Sprintf("reverse:https://%s:443", lab.OriginV4), "--listen-host", lab.BoxLANV4,
		"-p", strconv.Itoa(port), "--set", "confdir="+dir, "--set", "ssl_insecure=true", "--set", "stream_large_bodies=64k",
		"--set", "keep_host_header=true", "--set", "flow_detail=0")
}

// floor copies octets between two sockets and encrypts and decrypts as many: what
// nobody who terminates TLS can do without.
func (b *bed) floor(_ context.Context, dir string, port int) (int, error) {
	args := append(slices.Clone(b.Floor[1:]), fmt.Sprintf("%s:%d", lab.BoxLANV4, port), lab.OriginV4+":443")
	return b.serveBy(dir, port, b.Floor[0], args...)
}
