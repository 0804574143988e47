package lab

import (
	"fmt"
	"os/exec"
	"strings"
)

// Package is a Debian package that the lab runs programs of.
type Package struct {
	Name    string
	Program string // whose presence shows that it is installed: a name in PATH, or a path
	For     string // "demo", "test" (needs those of demo too) or "bench"
}

// Packages are what hack/packages.sh installs.
var Packages = []Package{
	{"nginx-light", "nginx", "demo"},
	{"postfix", "postconf", "demo"},
	{"swaks", "swaks", "demo"},
	{"libnet-ssleay-perl", "", "demo"},
	{"curl", "curl", "demo"},
	{"tshark", "tshark", "demo"},
	{"tcpdump", "tcpdump", "demo"},
	{"nftables", "nft", "demo"},
	{"iproute2", "ip", "demo"},
	{"c-icap", "c-icap", "demo"},
	{"libc-icap-mod-virus-scan", "", "demo"}, // with ClamAV's library
	{"chromium", "chromium", "test"},
	{"libnss3-tools", "certutil", "test"},
	{"tcpflow", "tcpflow", "test"},
	{"chaosreader", "chaosreader", "test"},
	{"nghttp2-client", "nghttp", "test"},
	{"dovecot-imapd", "dovecot", "test"},
	{"dovecot-pop3d", "", "test"},
	{"postgresql", "psql", "test"},
	{"mariadb-server-core", "mariadbd", "test"},
	{"mariadb-client-core", "mariadb", "test"},
	{"slapd", "slapd", "test"},
	{"ldap-utils", "ldapsearch", "test"},
	{"prosody", "prosody", "test"},
	{"nsd", "nsd", "test"},
	{"bind9-dnsutils", "dig", "test"},
	{"go-sendxmpp", "go-sendxmpp", "test"},
	{"vsftpd", "vsftpd", "test"},
	{"lftp", "lftp", "test"},
	{"exim4-daemon-light", eximProgram, "test"}, // unpacked, with the libraries that it needs
	{"libidn12", "", "test"},
	{"libgnutls-dane0", "", "test"},
	{"libnsl2", "", "test"},
	{"libdb5.3", "", "test"},
	{"openssl", "openssl", "test"},
	{"sslscan", "sslscan", "test"},
	{"libio-socket-inet6-perl", "", "test"}, // swaks over IPv6
	{"bpftool", "bpftool", "test"},
	{"netcat-openbsd", "nc", "test"},
	{"suricata", "", "test"}, // from backports if need be; without them its test is left out
	{"softhsm2", "softhsm2-util", "test"},
	{"gcc", "gcc", "test"}, // the race detector is built with cgo
	{"libc6-dev", "", "test"},
	{"clang-14", "clang-14", "test"}, // generated eBPF objects are compared
	{"llvm-14", "llvm-strip-14", "test"},
	{"libbpf-dev", "", "test"},
	{"haproxy", "haproxy", "bench"},
	{"sslsplit", "sslsplit", "test"},
	{"squid-openssl", "squid", "bench"},
	{"mitmproxy", "mitmdump", "bench"},
}

// MissingPrograms returns an error that names the packages for a purpose whose
// programs are not in PATH, and how to get them.
func MissingPrograms(purpose string) error {
	var missing []string
	for _, p := range Packages {
		if p.Program == "" || p.For != purpose && (purpose != "test" || p.For != "demo") {
			continue
		}
		if _, err := exec.LookPath(p.Program); err != nil {
			missing = append(missing, p.Name)
		}
	}
	if len(missing) > 0 {
		return fmt.Errorf("programs of %s are not installed: run hack/packages.sh %s",
			strings.Join(missing, ", "), purpose)
	}
	return nil
}
