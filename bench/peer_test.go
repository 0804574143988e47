package bench

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/needs"
	"github.com/clearspan/clearspan/hack/netlab"
	"github.com/clearspan/clearspan/mirror/conformance"
)

// Ports of the box that SSLsplit serves in TestFeedOfSSLsplit.
const (
	webPort        = 10443
	web6Port       = 10444
	smtpsPort      = 10465
	submissionPort = 10587
)

// TestFeedOfSSLsplit has SSLsplit mirror downloads and mail with -I, and shows
// what is wrong with its feed for recorders. It fails if that changes: then the
// rules have lost their teeth, or SSLsplit was mended.
func TestFeedOfSSLsplit(t *testing.T) {
	for _, program := range []string{"sslsplit", "swaks", "postconf"} {
		if _, err := exec.LookPath(program); err != nil {
			needs.Missing(t, err)
		}
	}
	network := netlab.ForTest(t)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	gateway, err := lab.NewGateway(network)
	if err != nil {
		t.Fatal(err)
	}
	b := &bed{Options: Options{Size: 3 << 20, Clients: 3}, gateway: gateway}
	if err := b.serve(); err != nil {
		t.Fatal(err)
	}
	directory := func(name string) string {
		dir, err := network.Dir(name)
		if err != nil {
			t.Fatal(err)
		}
		return dir
	}
	b.mail(t, directory)
	dir := directory("sslsplit")
	spec := func(kind, box string, port int, origin string, originPort int) []string {
		return []string{kind, box, fmt.Sprint(port), origin, fmt.Sprint(originPort)}
	}
	more := slices.Concat(
		spec("ssl", lab.BoxLANV6, web6Port, lab.OriginV6, 443),
		spec("ssl", lab.BoxLANV4, smtpsPort, lab.OriginV4, lab.SMTPSPort),
		spec("autossl", lab.BoxLANV4, submissionPort, lab.OriginV4, lab.SubmissionPort))
	if _, err := b.sslsplit(true, more...)(ctx, dir, webPort); err != nil {
		t.Fatal(err)
	}
	capture, err := lab.StartCapture(gateway.Recorder, sslsplitPort, filepath.Join(dir, "mirror.pcap"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := bulk(ctx, b, &contender{clients: gateway.Client, address: lab.BoxLANV4, port: webPort}); err != nil {
		t.Error(err)
	}
	if _, err := lab.Curl(ctx, gateway.Client, "", "-k", "-o", "/dev/null", fmt.Sprintf("https://[%s]:%d/object", lab.BoxLANV6, web6Port)); err != nil {
		t.Error(err)
	}
	for _, port := range []int{smtpsPort, submissionPort} {
		m := lab.Mail{Server: lab.BoxLANV4, Port: port, From: "alice@example.test", To: "bob@example.test", Data: "Subject: mail\n\ntext\n"}
		args := []string{"--suppress-data"}
		if port == smtpsPort {
			args = append(args, "--tls-on-connect")
			m.Plain = true // swaks takes one of the two
		}
		r, err := lab.Swaks(ctx, gateway.Client, m, args...)
		if err != nil && port == submissionPort && strings.Contains(r.Stdout, "~> DATA") {
			t.Logf("SSLsplit lost the last octets of a session after STARTTLS, as it does at times:\n%s", r.Stdout)
		} else if err != nil {
			t.Errorf("%v\n%s", err, r.Stdout)
		}
	}
	if _, err := capture.Stop(); err != nil {
		t.Error(err)
	}
	judgeSSLsplit(t, capture.File)
}

// mail starts a mail server on the origin.
func (b *bed) mail(t *testing.T, directory func(string) string) {
	t.Helper()
	boxes, err := lab.NewMailboxes(directory("mail"), "example.test", map[string]string{"bob": "secret"})
	if err != nil {
		t.Fatal(err)
	}
	pair, err := b.pki.Issue(name)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := lab.StartPostfix(b.gateway.Origin, directory("postfix"), pair, boxes); err != nil {
		t.Fatal(err)
	}
}

// judgeSSLsplit prints what feed check says of a capture, and wants the known
// defects in it.
func judgeSSLsplit(t *testing.T, file string) {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	checker := conformance.New(conformance.Options{})
	if err := checker.ReadFrom(t.Context(), f, nil); err != nil {
		t.Fatal(err)
	}
	r := checker.Report()
	var text bytes.Buffer
	r.WriteText(&text)
	t.Logf("SSLsplit -I:\n%s", text.String())
	if r.Octets < 4*3<<20 {
		t.Fatalf("%d octets", r.Octets)
	}
	for _, rule := range []conformance.Rule{conformance.Runt, conformance.IP6Length, conformance.TLSPort, conformance.STARTTLS} {
		if !slices.Contains(r.Broken(conformance.Fail), rule.String()) {
			t.Errorf("%s is not among what is broken: %v", rule, r.Broken(conformance.Fail))
		}
	}
}
