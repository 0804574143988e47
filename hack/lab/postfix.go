package lab

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/clearspan/clearspan/hack/netlab"
)

// Ports of [StartPostfix].
const (
	SMTPPort       = 25  // STARTTLS offered
	SMTPSPort      = 465 // TLS from the first octet
	SubmissionPort = 587 // STARTTLS required
)

// StartPostfix runs a mail server that takes mail for the mailboxes' users and
// relays none. It looks up no name.
func StartPostfix(ns *netlab.Namespace, dir string, certificate KeyPair, boxes *Mailboxes) (*Server, error) {
	if err := postfixDirs(dir); err != nil {
		return nil, err
	}
	var users strings.Builder
	for _, name := range boxes.names() {
		fmt.Fprintf(&users, "%s@%s %s/\n", name, boxes.Domain, name)
	}
	replace := strings.NewReplacer("@DIR@", dir, "@DOMAIN@", boxes.Domain,
		"@CERT@", certificate.CertFile, "@KEY@", certificate.KeyFile,
		"@MAIL@", boxes.Dir, "@UID@", strconv.Itoa(boxes.uid), "@GID@", strconv.Itoa(boxes.gid))
	if err := writeFiles(dir, map[string]string{
		"config/main.cf":   replace.Replace(postfixMain),
		"config/master.cf": postfixMaster,
		"config/users":     users.String(),
	}); err != nil {
		return nil, err
	}
	// Postfix waits until a file that it reads is two seconds old.
	old := time.Now().Add(-time.Minute)
	for _, name := range []string{"main.cf", "master.cf", "users"} {
		if err := os.Chtimes(filepath.Join(dir, "config", name), old, old); err != nil {
			return nil, err
		}
	}
	// The master in the foreground, without the scripts of postfix(1): these
	// mend and judge the installation of the machine, which is not ours.
	s, err := startServer(ns, dir, listening(ns, []int{SMTPSPort}, SMTPPort, SubmissionPort),
		"/usr/lib/postfix/sbin/master", "-c", filepath.Join(dir, "config"), "-d")
	if err != nil {
		if text, e := os.ReadFile(filepath.Join(dir, "maillog")); e == nil {
			err = fmt.Errorf("%w\n%s", err, text)
		}
		return nil, err
	}
	s.logFile = filepath.Join(dir, "maillog")
	return s, nil
}

// postfixDirs makes queue and data directory with the owners and modes that
// Postfix insists on.
func postfixDirs(dir string) error {
	owner, err := user.Lookup("postfix")
	if err != nil {
		return fmt.Errorf("find owner of the mail queue: %w", err)
	}
	uid, _ := strconv.Atoi(owner.Uid)
	group, err := user.LookupGroup("postdrop")
	if err != nil {
		return fmt.Errorf("find group of the mail queue: %w", err)
	}
	drop, _ := strconv.Atoi(group.Gid)
	for _, d := range []struct {
		name     string
		uid, gid int
		mode     os.FileMode
	}{
		{"queue", 0, 0, 0o755}, {"queue/pid", 0, 0, 0o755}, {"data", uid, 0, 0o700},
		{"queue/maildrop", uid, drop, 0o730}, {"queue/public", uid, drop, 0o710},
	} {
		if err := ownDir(filepath.Join(dir, d.name), d.uid, d.gid, d.mode); err != nil {
			return err
		}
	}
	for _, name := range []string{"active", "bounce", "corrupt", "defer", "deferred", "flush",
		"hold", "incoming", "private", "saved", "trace"} {
		if err := ownDir(filepath.Join(dir, "queue", name), uid, 0, 0o700); err != nil {
			return err
		}
	}
	return nil
}

// ownDir makes a directory with exactly this owner and mode.
func ownDir(path string, uid, gid int, mode os.FileMode) error {
	if err := os.MkdirAll(path, 0o755); err != nil {
		return err
	}
	if err := os.Chown(path, uid, gid); err != nil {
		return err
	}
	return os.Chmod(path, mode)
}

func (m *Mailboxes) names() []string {
	names := make([]string, 0, len(m.users))
	for name := range m.users {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

const postfixMain = `compatibility_level = 3.6
config_directory = @DIR@/config
queue_directory = @DIR@/queue
data_directory = @DIR@/data
maillog_file = @DIR@/maillog
maillog_file_prefixes = @DIR@
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
shlib_directory = /usr/lib/postfix
meta_directory = /etc/postfix
mail_owner = postfix
setgid_group = postdrop
myhostname = mail.@DOMAIN@
mydestination =
mynetworks =
alias_maps =
alias_database =
local_recipient_maps =
inet_interfaces = all
inet_protocols = all
biff = no
smtpd_peername_lookup = no
disable_dns_lookups = yes
smtpd_relay_restrictions = reject_unauth_destination
smtpd_client_connection_rate_limit = 0
smtpd_client_connection_count_limit = 0
message_size_limit = 0
mailbox_size_limit = 0
virtual_mailbox_limit = 0
virtual_mailbox_domains = @DOMAIN@
virtual_mailbox_maps = texthash:@DIR@/config/users
virtual_mailbox_base = @MAIL@
virtual_minimum_uid = 1
virtual_uid_maps = static:@UID@
virtual_gid_maps = static:@GID@
smtpd_tls_cert_file = @CERT@
smtpd_tls_key_file = @KEY@
smtpd_tls_security_level = may
smtpd_tls_loglevel = 1
`

const postfixMaster = `smtp       inet  n - n - - smtpd
smtps      inet  n - n - - smtpd -o smtpd_tls_wrappermode=yes
submission inet  n - n - - smtpd -o smtpd_tls_security_level=encrypt
pickup     unix  n - n 60 1 pickup
cleanup    unix  n - n - 0 cleanup
qmgr       unix  n - n 300 1 qmgr
tlsmgr     unix  - - n 1000? 1 tlsmgr
rewrite    unix  - - n - - trivial-rewrite
bounce     unix  - - n - 0 bounce
defer      unix  - - n - 0 bounce
trace      unix  - - n - 0 bounce
verify     unix  - - n - 1 verify
flush      unix  n - n 1000? 0 flush
proxymap   unix  - - n - - proxymap
error      unix  - - n - - error
retry      unix  - - n - - error
discard    unix  - - n - - discard
virtual    unix  - n n - - virtual
anvil      unix  - - n - 1 anvil
scache     unix  - - n - 1 scache
postlog    unix-dgram n - n - 1 postlogd
`
