package lab

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/clearspan/clearspan/hack/netlab"
)

// DNSPort is that of name servers.
const DNSPort = 53

// StartNSD starts a name server for a zone, whose records are lines of a zone file;
// it needs none for its own name. dir is created. It answers on every address of
// the namespace.
func StartNSD(ns *netlab.Namespace, dir, zone string, records ...string) (*Server, error) {
	file := fmt.Sprintf("$ORIGIN %s.\n$TTL 60\n@ IN SOA ns hostmaster 1 3600 600 86400 60\n@ IN NS ns\nns IN A %s\n%s\n",
		zone, OriginV4, strings.Join(records, "\n"))
	err := writeFiles(dir, map[string]string{
		"zone":     file,
		"nsd.conf": strings.NewReplacer("@DIR@", dir, "@ZONE@", zone).Replace(nsdConfig),
	})
	if err != nil {
		return nil, err
	}
	return startServer(ns, dir, listening(ns, []int{DNSPort}), "nsd", "-d", "-c", filepath.Join(dir, "nsd.conf"))
}

const nsdConfig = `server:
  username: ""
  zonesdir: "@DIR@"
  database: ""
  pidfile: "@DIR@/pid"
  xfrdfile: "@DIR@/xfrd"
  zonelistfile: "@DIR@/zones"
  server-count: 1
remote-control:
  control-enable: no
zone:
  name: "@ZONE@"
  zonefile: "@DIR@/zone"
`
