package lab

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/clearspan/clearspan/hack/netlab"
)

// eximProgram is where hack/packages.sh unpacks it: Debian does not install it
// beside Postfix.
var eximProgram = programOf("exim4-daemon-light")

// StartExim runs Exim on port 25, with STARTTLS offered. It takes mail for the
// mailboxes' users and relays none. Exim insists on a user of its own and on its
// configuration in /etc: it gets an /etc of its own, which is nobody else's.
func StartExim(ns *netlab.Namespace, dir string, certificate KeyPair, boxes *Mailboxes) (*Server, error) {
	owner := fmt.Sprintf("x:%d:%d", boxes.uid, boxes.gid)
	replace := strings.NewReplacer("@DIR@", dir, "@DOMAIN@", boxes.Domain, "@MAIL@", boxes.Dir,
		"@CERT@", certificate.CertFile, "@EXIM@", eximProgram, "@PORT@", strconv.Itoa(SMTPPort))
	key, err := os.ReadFile(certificate.KeyFile)
	if err != nil {
		return nil, err
	}
	files := map[string]string{
		"etc/exim4/exim4.conf": replace.Replace(eximConfig),
		"etc/passwd":           "root:x:0:0::/root:/bin/sh\nDebian-exim:" + owner + "::/nonexistent:/bin/false\n",
		"etc/group":            fmt.Sprintf("root:x:0:\nDebian-exim:x:%d:\n", boxes.gid),
		"etc/nsswitch.conf":    "passwd: files\ngroup: files\nhosts: files\n",
		"etc/hosts":            "127.0.0.1 localhost\n",
		"users":                eximUsers(boxes),
	}
	if cache, err := os.ReadFile("/etc/ld.so.cache"); err == nil {
		files["etc/ld.so.cache"] = string(cache)
	}
	if err := writeFiles(dir, files); err != nil {
		return nil, err
	}
	keyFile := filepath.Join(dir, "key.pem")
	if err := os.WriteFile(keyFile, key, 0o600); err != nil {
		return nil, err
	}
	for _, name := range []string{"spool", "logs"} {
		if err := ownDir(filepath.Join(dir, name), boxes.uid, boxes.gid, 0o755); err != nil {
			return nil, err
		}
	}
	if err := os.Chown(keyFile, boxes.uid, boxes.gid); err != nil {
		return nil, err
	}
	return startServer(ns, dir, listening(ns, nil, SMTPPort), "unshare", "--mount", "--propagation", "private",
		"sh", "-c", `mount --bind "$1" /etc && exec "$2" -bdf`, "sh", filepath.Join(dir, "etc"), eximProgram)
}

// eximUsers returns lines of a name as key and as value: what a client has sent is
// no part of a path.
func eximUsers(boxes *Mailboxes) string {
	var b strings.Builder
	for _, name := range boxes.names() {
		fmt.Fprintf(&b, "%s: %s\n", name, name)
	}
	return b.String()
}

const eximConfig = `primary_hostname = mail.@DOMAIN@
exim_path = @EXIM@
spool_directory = @DIR@/spool
log_file_path = @DIR@/logs/%slog
daemon_smtp_ports = @PORT@
host_lookup =
rfc1413_hosts =
pipelining_connect_advertise_hosts =
tls_advertise_hosts = *
tls_certificate = @CERT@
tls_privatekey = @DIR@/key.pem
never_users =
deliver_drop_privilege = true
acl_smtp_rcpt = recipient
begin acl
recipient:
  accept domains = @DOMAIN@
  deny
begin routers
boxes:
  driver = accept
  domains = @DOMAIN@
  local_parts = lsearch;@DIR@/users
  transport = box
begin transports
box:
  driver = appendfile
  directory = ${lookup{$local_part}lsearch{@DIR@/users}{@MAIL@/$value}fail}
  maildir_format
  user = Debian-exim
  group = Debian-exim
`
