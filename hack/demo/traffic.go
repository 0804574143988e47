package demo

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/clearspan/clearspan/hack/lab"
)

// fetch is a page that curl gets.
type fetch struct {
	page    string // its file name at the origin
	version string // what curl is told: --http1.1, --http2
	http2   bool
	address string // of the origin

	content []byte // of the file at the origin
	client  string // address:port, as the client knows it
	up      int64  // octets of the request, and of header and body of the
	down    int64  // response, as curl counts them; of no use with HTTP/2
}

// mail is a message that swaks sends.
type mail struct {
	port    int
	subject string
	body    string
}

// program returns what is sent.
func program() ([]fetch, []mail) {
	return []fetch{
			{page: "hello.html", version: "--http1.1", address: lab.OriginV4},
			{page: "news.html", version: "--http2", http2: true, address: lab.OriginV6},
			{page: "large.bin", version: "--http1.1", address: lab.OriginV4},
		}, []mail{
			{port: lab.SMTPSPort, subject: "Minutes over SMTPS", body: "TLS from the first octet.\nNothing else to report."},
			{port: lab.SubmissionPort, subject: "Minutes over STARTTLS", body: "TLS after a word in clear.\nAll else as before."},
		}
}

// run has curl get the page through the appliance.
func (f *fetch) run(ctx context.Context, s *stage, out *story) (err error) {
	if f.content, err = os.ReadFile(filepath.Join(s.web.Root, f.page)); err != nil {
		return err
	}
	got := filepath.Join(s.box, "client-"+f.page)
	url := "https://" + webName + "/" + f.page
	args := slices.Concat(lab.Resolve(webName, f.address), []string{f.version, "--output", got, "--write-out",
		"%{http_version} %{response_code} %{local_ip} %{local_port} %{size_request} %{size_header} %{size_download}", url})
	r, err := lab.Curl(ctx, s.gateway.Client, s.ca, args...)
	if err != nil {
		return fmt.Errorf("fetch %s: %w", url, err)
	}
	facts := strings.Fields(r.Stdout)
	if len(facts) != 7 {
		return fmt.Errorf("fetch %s: curl says %q", url, r.Stdout)
	}
	var sizes [3]int64
	for i := range sizes {
		if sizes[i], err = strconv.ParseInt(facts[4+i], 10, 64); err != nil {
			return fmt.Errorf("fetch %s: curl says %q", url, r.Stdout)
		}
	}
	f.client = net.JoinHostPort(facts[2], facts[3])
	f.up, f.down = sizes[0], sizes[1]+sizes[2]
	out.say("  curl   %-42s HTTP/%-3s %s, %d octets\n", url, facts[0], facts[1], sizes[2])
	want := "1.1 200"
	if f.http2 {
		want = "2 200"
	}
	if facts[0]+" "+facts[1] != want {
		return fmt.Errorf("fetch %s: HTTP/%s and status %s, want %s", url, facts[0], facts[1], want)
	}
	received, err := os.ReadFile(got)
	if err != nil {
		return err
	}
	if !slices.Equal(received, f.content) {
		return fmt.Errorf("fetch %s: the client received other octets than the origin has", url)
	}
	return nil
}

// data returns header and body with the line ends of SMTP.
func (m mail) data() string {
	text := fmt.Sprintf("From: alice@%s\nTo: %s@%s\nSubject: %s\n\n%s\n", domain, mailUser, domain, m.subject, m.body)
	return strings.ReplaceAll(text, "\n", "\r\n")
}

// run has swaks send the mail through the appliance and waits for its delivery.
func (m mail) run(ctx context.Context, s *stage, out *story) error {
	r, err := lab.Swaks(ctx, s.gateway.Client, lab.Mail{
		Server: lab.OriginV4, Port: m.port, Name: mailName, CA: s.ca,
		From: "alice@" + domain, To: mailUser + "@" + domain,
		Data: strings.ReplaceAll(m.data(), "\r\n", "\n"),
	})
	if err != nil {
		return fmt.Errorf("send mail to port %d: %w\n%s", m.port, err, r.Stdout)
	}
	delivered, err := s.boxes.WaitMessage(ctx, mailUser, "Subject: "+m.subject)
	if err != nil {
		return err
	}
	if !strings.Contains(delivered, m.body) {
		return fmt.Errorf("send mail to port %d: delivered with another body:\n%s", m.port, delivered)
	}
	how := "STARTTLS"
	if m.port == lab.SMTPSPort {
		how = "SMTPS"
	}
	out.say("  swaks  %-42s %-8s delivered, %q\n", fmt.Sprintf("%s:%d", mailName, m.port), how, m.subject)
	return nil
}
