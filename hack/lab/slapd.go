package lab

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/clearspan/clearspan/hack/netlab"
)

// LDAPPort is that of [StartSlapd]: StartTLS offered.
const LDAPPort = 389

// StartSlapd runs a directory server that anybody may search below
// dc=example,dc=test, with one person of each name there.
func StartSlapd(ns *netlab.Namespace, dir string, certificate KeyPair, people ...string) (*Server, error) {
	if err := ownDir(filepath.Join(dir, "data"), 0, 0, 0o700); err != nil {
		return nil, err
	}
	var ldif strings.Builder
	ldif.WriteString("dn: dc=example,dc=test\nobjectClass: dcObject\nobjectClass: organization\ndc: example\no: Example\n")
	for _, name := range people {
		ldif.WriteString("\ndn: cn=" + name + ",dc=example,dc=test\nobjectClass: person\ncn: " + name + "\nsn: of Example\n")
	}
	config := strings.NewReplacer("@DIR@", dir, "@CERT@", certificate.CertFile, "@KEY@", certificate.KeyFile).Replace(slapdConfig)
	if err := writeFiles(dir, map[string]string{"slapd.conf": config, "people.ldif": ldif.String()}); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "slapd.conf")
	if _, err := Run(context.Background(), ns, "", "slapadd", "-q", "-f", file, "-l", filepath.Join(dir, "people.ldif")); err != nil {
		return nil, err
	}
	return startServer(ns, dir, listening(ns, []int{LDAPPort}), "slapd", "-d", "0", "-f", file, "-h", "ldap:///")
}

const slapdConfig = `include /etc/ldap/schema/core.schema
pidfile @DIR@/pid
modulepath /usr/lib/ldap
moduleload back_mdb
TLSCertificateFile @CERT@
TLSCertificateKeyFile @KEY@
database mdb
maxsize 1048576
suffix "dc=example,dc=test"
directory @DIR@/data
dbnosync
rootdn "cn=admin,dc=example,dc=test"
rootpw secret
`
