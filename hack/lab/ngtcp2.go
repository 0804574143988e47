package lab

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/clearspan/clearspan/hack/netlab"
)

// StartGTLSServer serves the files in root by HTTP/3, with ngtcp2 and GnuTLS, on every
// address. dir is created. With retry it has each client prove its address first (RFC
// 9000, Section 8.1.2).
func StartGTLSServer(ns *netlab.Namespace, dir, root string, port int, certificate KeyPair, retry bool) (*Server, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	args := []string{"--quiet", "--htdocs", root}
	if retry {
		args = append(args, "--validate-addr")
	}
	args = append(args, "*", strconv.Itoa(port), certificate.KeyFile, certificate.CertFile)
	return startServer(ns, dir, receiving(ns, port), "/usr/sbin/gtlsserver", args...)
}

// receiving returns a readiness test: a socket of UDP has the port.
func receiving(ns *netlab.Namespace, port int) func(*Server) bool {
	return func(*Server) bool {
		found := false
		err := ns.Do(func() error {
			for _, name := range []string{"udp", "udp6"} {
				text, err := os.ReadFile("/proc/thread-self/net/" + name)
				if err != nil {
					return err
				}
				found = found || strings.Contains(string(text), fmt.Sprintf(":%04X ", port))
			}
			return nil
		})
		return err == nil && found
	}
}

// GTLSClient gets a file by HTTP/3 from a host, which it finds at address without a name
// server. It keeps its files in dir and verifies no certificate. args are further
// options of gtlsclient.
func GTLSClient(ctx context.Context, ns *netlab.Namespace, dir, host, address string, port int, file string, args ...string) ([]byte, error) {
	if err := writeFiles(dir, map[string]string{"hosts": address + " " + host + "\n"}); err != nil {
		return nil, err
	}
	const script = `mount --bind "$1" /etc/hosts && shift && exec gtlsclient "$@"`
	args = append([]string{
		"--mount", "--propagation", "private", "sh", "-c", script, "sh", filepath.Join(dir, "hosts"),
		"--quiet", "--exit-on-all-streams-close", "--timeout=10s", "--handshake-timeout=10s", "--download=" + dir,
	}, args...)
	args = append(args, host, strconv.Itoa(port), fmt.Sprintf("https://%s:%d/%s", host, port, file))
	if r, err := Run(ctx, ns, "", "unshare", args...); err != nil {
		return nil, fmt.Errorf("%w: %s", err, tail(r.Stdout, 1000))
	}
	return os.ReadFile(filepath.Join(dir, filepath.Base(file)))
}
