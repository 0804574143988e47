package lab

import (
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/clearspan/clearspan/hack/netlab"
)

// Ports of [StartICAP].
const (
	ICAPPort  = 1344
	ICAPSPort = 11344 // TLS
)

// Services of [StartICAP].
const (
	EchoService    = "echo"   // answers every other body with 204 after the preview, gives the others back as they are
	PartialService = "ex206"  // writes into HTML pages; knows 206
	ScanService    = "avscan" // ClamAV, which knows [EICAR] and nothing else
)

// Threat is the name that [ScanService] gives to [EICAR]; ClamAV adds ".UNOFFICIAL".
const Threat = "Clearspan.Test.EICAR"

// EICAR returns the string by which virus scanners are tested. It is put together
// here so that no file of ours holds it.
func EICAR() string {
	return `X5O!P%@AP[4\PZX54(P^)7CC)7}$` + "EICAR-STANDARD" + `-ANTIVIRUS-TEST-FILE!$H+H*`
}

// ICAP is a running c-icap.
type ICAP struct {
	*Server
	access string
}

// StartICAP runs c-icap with the three services. A nil certificate: no TLS. It
// sees signatures of ours in place of the machine's, in a mount namespace of its
// own. scan names the file types that [ScanService] looks into, all without any;
// what is none of them it answers with 204 after the preview.
func StartICAP(ns *netlab.Namespace, dir string, certificate *KeyPair, scan ...string) (*ICAP, error) {
	if len(scan) == 0 {
		scan = []string{"TEXT", "DATA", "EXECUTABLE", "ARCHIVE", "GIF", "JPEG", "MSOFFICE"}
	}
	tls, ports := "", []int{ICAPPort}
	if certificate != nil {
		tls = fmt.Sprintf("TlsPort %d cert=%s key=%s", ICAPSPort, certificate.CertFile, certificate.KeyFile)
		ports = append(ports, ICAPSPort)
	}
	for _, d := range []string{"run", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, d), 0o755); err != nil {
			return nil, err
		}
	}
	modules, err := filepath.Glob("/usr/lib/*/c_icap/srv_echo.so")
	if err != nil || len(modules) == 0 {
		return nil, fmt.Errorf("start c-icap: its modules are not in /usr/lib (%v)", err)
	}
	config := strings.NewReplacer("@DIR@", dir, "@MODULES@", filepath.Dir(modules[0]), "@PORT@", fmt.Sprint(ICAPPort), "@TLS@", tls, "@SCAN@", strings.Join(scan, " ")).Replace(icapConfig)
	if err := writeFiles(dir, map[string]string{
		"c-icap.conf": config,
		// NAME:any file type:any offset:pattern
		"signatures/lab.ndb": fmt.Sprintf("%s:0:*:%s\n", Threat, hex.EncodeToString([]byte(EICAR()))),
	}); err != nil {
		return nil, err
	}
	const script = `mount --bind "$1" /var/lib/clamav && exec c-icap -N -D -f "$2"`
	server, err := startServer(ns, dir, listening(ns, ports), "unshare", "-m", "sh", "-c", script, "sh",
		filepath.Join(dir, "signatures"), filepath.Join(dir, "c-icap.conf"))
	if err != nil {
		return nil, err
	}
	return &ICAP{server, filepath.Join(dir, "access.log")}, nil
}

// Requests returns what c-icap has served: a line for each request, such as
// "204 RESPMOD avscan".
func (s *ICAP) Requests() ([]string, error) {
	text, err := os.ReadFile(s.access)
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimSpace(string(text)), "\n"), nil
}

// One process, whose threads serve: what is in hand is in the main process. It
// stays root because the directory belongs to the caller.
const icapConfig = `PidFile @DIR@/run/pid
CommandsSocket @DIR@/run/ctl
Port @PORT@
@TLS@
Timeout 60
MaxKeepAliveRequests 100000
KeepAliveTimeout 60
StartServers 1
MaxServers 1
MinSpareThreads 4
MaxSpareThreads 128
ThreadsPerChild 128
InterProcessSharedMemScheme mmap
TmpDir @DIR@/tmp
MaxMemObject 131072
DebugLevel 1
ServerLog @DIR@/server.log
LogFormat lab "%is %im %iu"
AccessLog @DIR@/access.log lab
ModulesDir @MODULES@
ServicesDir @MODULES@
TemplateDir /usr/share/c_icap/templates/
LoadMagicFile /etc/c-icap/c-icap.magic
RemoteProxyUsers on
RemoteProxyUserHeader X-Authenticated-User
RemoteProxyUserHeaderEncoded on
Service echo srv_echo.so
Service ex206 srv_ex206.so
Service virus_scan virus_scan.so
ServiceAlias avscan virus_scan?allow204=on&sizelimit=off&mode=simple
Module common clamav_mod.so
virus_scan.ScanFileTypes @SCAN@
virus_scan.SendPercentData 0
virus_scan.MaxObjectSize 100M
virus_scan.DefaultEngine clamav
`
