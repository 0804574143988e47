package lab

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/clearspan/clearspan/hack/netlab"
)

// Suricata is Suricata in a device's place.
type Suricata struct{ *Server }

// StartSuricata has Suricata pass frames between two interfaces of a namespace, as
// an intrusion prevention system, by rules in its language. It wants frames as they
// are on a cable: the interfaces and those at the other ends of their cables must
// neither merge nor leave checksums to others.
func StartSuricata(ns *netlab.Namespace, dir string, ports [2]string, rules string) (*Suricata, error) {
	var pairs strings.Builder
	for i, port := range ports {
		fmt.Fprintf(&pairs, suricataPort, port, 97+i, ports[1-i])
	}
	config := strings.NewReplacer("@DIR@", dir, "@PORTS@", pairs.String()).Replace(suricataConfig)
	if err := writeFiles(dir, map[string]string{"suricata.yaml": config, "lab.rules": rules}); err != nil {
		return nil, err
	}
	server, err := startServer(ns, dir, func(s *Server) bool { return strings.Contains(s.Log(), "Engine started") },
		"suricata", "-c", filepath.Join(dir, "suricata.yaml"), "-l", dir, "--af-packet", "--pidfile", filepath.Join(dir, "pid"))
	if err != nil {
		return nil, err
	}
	return &Suricata{server}, nil
}

// Alert is what Suricata says of a packet that a rule is for.
type Alert struct {
	Source      string `json:"src_ip"`
	Destination string `json:"dest_ip"`
	Port        uint16 `json:"dest_port"` // of the destination
	Alert       struct {
		Action, Signature string
	}
	HTTP struct{ URL string }
}

// Alerts returns what Suricata has said so far.
func (s *Suricata) Alerts() (list []Alert, err error) {
	f, err := os.Open(filepath.Join(s.Dir, "eve.json"))
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var a Alert
		if json.Unmarshal(lines.Bytes(), &a) == nil && a.Alert.Signature != "" { // the last may be half written
			list = append(list, a)
		}
	}
	return list, lines.Err()
}

// One thread a port, and no more memory than a lab needs.
const suricataConfig = `%YAML 1.1
---
vars:
  address-groups: {HOME_NET: any, EXTERNAL_NET: any}
  port-groups: {HTTP_PORTS: "80"}
default-log-dir: @DIR@
stats: {enabled: no}
outputs:
  - eve-log: {enabled: yes, filetype: regular, filename: eve.json, types: [{alert: {http: yes}}]}
logging:
  default-log-level: notice
  outputs:
    - console: {enabled: yes}
unix-command: {enabled: no}
af-packet:
@PORTS@app-layer:
  protocols:
    http: {enabled: yes}
flow: {memcap: 32mb, hash-size: 4096, prealloc: 100}
stream: {memcap: 32mb, inline: yes, reassembly: {memcap: 64mb}}
default-rule-path: @DIR@
rule-files: [lab.rules]
`

const suricataPort = `  - interface: %s
    threads: 1
    cluster-id: %d
    cluster-type: cluster_flow
    defrag: no
    use-mmap: yes
    ring-size: 4096
    copy-mode: ips
    copy-iface: %s
`
