package lab

import (
	"fmt"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/clearspan/clearspan/hack/netlab"
)

// Ports of [StartProsody]. STARTTLS is required on both.
const (
	XMPPPort       = 5222 // of clients
	XMPPServerPort = 5269 // of other servers
)

// StartProsody runs an XMPP server of a domain, for users, a map from name to
// password.
func StartProsody(ns *netlab.Namespace, dir, domain string, certificate KeyPair, users map[string]string) (*Server, error) {
	owner, err := user.Lookup("prosody")
	if err != nil {
		return nil, fmt.Errorf("find owner of accounts: %w", err)
	}
	uid, _ := strconv.Atoi(owner.Uid)
	gid, _ := strconv.Atoi(owner.Gid)
	data := filepath.Join(dir, "data")
	if err := ownDir(data, uid, gid, 0o755); err != nil {
		return nil, err
	}
	files := map[string]string{
		"prosody.cfg.lua": strings.NewReplacer("@DATA@", data, "@DOMAIN@", domain,
			"@CERT@", certificate.CertFile, "@KEY@", certificate.KeyFile).Replace(prosodyConfig),
	}
	host := strings.ReplaceAll(domain, ".", "%2e")
	for name, password := range users {
		files[filepath.Join("data", host, "accounts", name+".dat")] = fmt.Sprintf("return { [\"password\"] = %q; };\n", password)
	}
	if err := writeFiles(dir, files); err != nil {
		return nil, err
	}
	return startServer(ns, dir, listening(ns, []int{XMPPPort, XMPPServerPort}), "prosody", "-F",
		"--config", filepath.Join(dir, "prosody.cfg.lua"))
}

const prosodyConfig = `run_as_root = true
data_path = "@DATA@"
pidfile = "@DATA@/pid"
log = { info = "*console" }
modules_enabled = { "roster", "saslauth", "tls", "dialback", "disco" }
c2s_require_encryption = true
s2s_require_encryption = true
s2s_secure_auth = false
authentication = "internal_plain"
storage = "internal"
ssl = { certificate = "@CERT@"; key = "@KEY@" }
VirtualHost "@DOMAIN@"
`
