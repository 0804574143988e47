package alert

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/leodido/go-syslog/v4/rfc5424"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/needs"
	"github.com/clearspan/clearspan/hack/tempo"
)

// rsyslog starts rsyslogd, with TLS if there is a certificate, and returns its port and the
// file with what it takes.
func rsyslog(t *testing.T, ca *lab.PKI, pair lab.KeyPair) (port int, output string) {
	t.Helper()
	program, err := exec.LookPath("/usr/sbin/rsyslogd")
	if err != nil {
		needs.Missing(t, err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port = l.Addr().(*net.TCPAddr).Port
	l.Close()
	dir := t.TempDir()
	output = filepath.Join(dir, "received")
	tls, driver := "", ""
	if ca != nil {
		tls = fmt.Sprintf(`defaultNetstreamDriverCAFile="%s" defaultNetstreamDriverCertFile="%s" defaultNetstreamDriverKeyFile="%s"`, ca.RootFile, pair.CertFile, pair.KeyFile)
		driver = ` streamDriver.name="gtls" streamDriver.mode="1" streamDriver.authMode="x509/name" permittedPeer=["box.example.test"]`
	}
	conf := fmt.Sprintf(`global(workDirectory="%s" %s)
module(load="imtcp"%s)
template(name="raw" type="string" string="%%rawmsg%%\n")
input(type="imtcp" port="%d" address="127.0.0.1" ruleset="in")
ruleset(name="in" queue.type="Direct") { action(type="omfile" file="%s" template="raw") }
`, dir, tls, driver, port, output)
	if err := os.WriteFile(filepath.Join(dir, "conf"), []byte(conf), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, "-n", "-f", filepath.Join(dir, "conf"), "-i", filepath.Join(dir, "pid"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { cmd.Process.Kill(); cmd.Wait() })
	tempo.Until(t, "rsyslogd listens", func() bool {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
	return port, output
}

// TestSyslog: rsyslogd has a message for each finding when it was sent, by TCP and TLS, and
// nothing that a client wrote leaves its place.
func TestSyslog(t *testing.T) {
	t.Parallel()
	ca, err := lab.NewPKI(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	server, err := ca.Issue("siem.example.test")
	if err != nil {
		t.Fatal(err)
	}
	box, err := ca.Issue("box.example.test")
	if err != nil {
		t.Fatal(err)
	}
	f := finding("my-number", "10.0.0.1:4711")
	f.Rule, f.Server, f.What = "numbers-out", "[2001:db8::1]:443", "POST http://x/?a=b|c\\d\n<34>1 forged"
	a := &Alert{Findings: []Finding{f, f}, More: 3}
	plain, received := rsyslog(t, nil, lab.KeyPair{})
	secure, secured := rsyslog(t, ca, server)
	for address, output := range map[string]string{
		fmt.Sprintf("syslog+tcp://127.0.0.1:%d", plain): received,
		fmt.Sprintf("syslog+tls://127.0.0.1:%d?name=siem.example.test&ca=%s&certificate=%s&key=%s", secure, ca.RootFile, box.CertFile, box.KeyFile): secured,
	} {
		r, err := Parse("siem=" + address)
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Send(t.Context(), a); err != nil {
			t.Fatal(address, err)
		}
		text, err := os.ReadFile(output)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(strings.TrimSpace(string(text)), "\n")
		if len(lines) != 3 {
			t.Fatalf("%s: %q", address, lines)
		}
		m, err := rfc5424.NewParser().Parse([]byte(lines[0]))
		if err != nil {
			t.Fatalf("%s: %v", lines[0], err)
		}
		s := m.(*rfc5424.SyslogMessage)
		for _, want := range []string{
			"|finding|Personal or confidential data|9|rt=1800000000000 cat=my-number cnt=3 src=10.0.0.1 spt=4711 c6a3Label=Destination IPv6 Address c6a3=2001:db8::1 dpt=443 ",
			"cs1Label=rule cs1=numbers-out cs2Label=sample cs2=1234-****-**18", ` msg=POST http://x/?a\=b|c\\d\n<34>1 forged`,
		} {
			if !strings.Contains(*s.Message, want) {
				t.Errorf("%q is missing in\n%s", want, *s.Message)
			}
		}
		if !strings.Contains(lines[2], "|more|Further findings of this kind|9|cat=my-number cnt=3 ") {
			t.Error(lines[2])
		}
	}
	// One that does not take us, or is somebody else, has taken nothing.
	for _, bad := range []string{"name=siem.example.test&ca=" + ca.RootFile, "ca=" + ca.RootFile} {
		r, err := Parse(fmt.Sprintf("syslog+tls://127.0.0.1:%d?%s", secure, bad))
		if err != nil {
			t.Fatal(err)
		}
		if err := r.Send(t.Context(), a); err == nil {
			t.Errorf("%s: it is taken", bad)
		}
	}
}

// TestDatagrams: each message is a datagram (RFC 5426).
func TestDatagrams(t *testing.T) {
	l, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	r, err := Parse("syslog+udp://" + l.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Send(t.Context(), &Alert{Findings: []Finding{finding("card", "10.0.0.1:1")}}); err != nil {
		t.Fatal(err)
	}
	p := make([]byte, 9000)
	n, _, err := l.ReadFrom(p)
	if err != nil || !strings.HasPrefix(string(p[:n]), "<108>1 2027-01-15T08:00:00.000000Z ") {
		t.Errorf("%s, %v", p[:n], err)
	}
}
