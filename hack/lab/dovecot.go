package lab

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/clearspan/clearspan/hack/netlab"
)

// Ports of [StartDovecot].
const (
	IMAPPort  = 143 // STARTTLS offered
	IMAPSPort = 993
	POP3Port  = 110 // STLS offered
	POP3SPort = 995
)

// StartDovecot serves the mailboxes by IMAP and POP3. Users may log in without
// TLS too.
func StartDovecot(ns *netlab.Namespace, dir string, certificate KeyPair, boxes *Mailboxes) (*Server, error) {
	var users strings.Builder
	for _, name := range boxes.names() {
		fmt.Fprintf(&users, "%s:{PLAIN}%s\n", name, boxes.users[name])
	}
	if err := ownDir(filepath.Join(dir, "home"), boxes.uid, boxes.gid, 0o755); err != nil {
		return nil, err
	}
	config := strings.NewReplacer("@DIR@", dir, "@MAIL@", boxes.Dir,
		"@UID@", strconv.Itoa(boxes.uid), "@GID@", strconv.Itoa(boxes.gid),
		"@CERT@", certificate.CertFile, "@KEY@", certificate.KeyFile).Replace(dovecotConfig)
	if err := writeFiles(dir, map[string]string{"dovecot.conf": config, "users": users.String()}); err != nil {
		return nil, err
	}
	return startServer(ns, dir, listening(ns, []int{IMAPSPort, POP3SPort}, IMAPPort, POP3Port),
		"dovecot", "-F", "-c", filepath.Join(dir, "dovecot.conf"))
}

const dovecotConfig = `base_dir = @DIR@/run
state_dir = @DIR@/state
log_path = /dev/stderr
protocols = imap pop3
listen = *, ::
ssl = yes
ssl_cert = <@CERT@
ssl_key = <@KEY@
ssl_min_protocol = TLSv1.2
disable_plaintext_auth = no
auth_mechanisms = plain login
first_valid_uid = 1
mail_location = maildir:@MAIL@/%n
passdb {
  driver = passwd-file
  args = @DIR@/users
}
userdb {
  driver = static
  args = uid=@UID@ gid=@GID@ home=@DIR@/home/%n
}
service imap-login {
  chroot =
  process_min_avail = 0
}
service pop3-login {
  chroot =
}
mail_plugins = zlib
protocol imap {
  mail_plugins = zlib imap_zlib
}
`
