package docs

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/clearspan/clearspan/hack/needs"
	"github.com/clearspan/clearspan/mirror"
	"github.com/clearspan/clearspan/mirror/pcapip"
	"github.com/clearspan/clearspan/mirror/pcapng"
)

const docs = "../../appliance/docs"

// read returns a page.
func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(docs, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// said is one turn of a dialogue.
type said struct {
	dir  mirror.Direction
	text string
}

// The sessions of the capture: a page by HTTPS, a mail by SMTPS. The mirror shows
// the latter on port 25.
var (
	client = netip.MustParseAddr("10.0.0.5")
	web    = []said{
		{mirror.ClientToOrigin, "GET /hello.html HTTP/1.1\r\nHost: www.example.test\r\nUser-Agent: curl/8.0\r\nAccept: */*\r\n\r\n"},
		{mirror.OriginToClient, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 21\r\n\r\n<p>Hello, world.</p>\n"},
	}
	mail = []said{
		{mirror.OriginToClient, "220 mail.example.test ESMTP\r\n"},
		{mirror.ClientToOrigin, "EHLO client.example.test\r\n"},
		{mirror.OriginToClient, "250-mail.example.test\r\n250 8BITMIME\r\n"},
		{mirror.ClientToOrigin, "MAIL FROM:<alice@example.test>\r\n"},
		{mirror.OriginToClient, "250 2.1.0 Ok\r\n"},
		{mirror.ClientToOrigin, "RCPT TO:<bob@example.test>\r\n"},
		{mirror.OriginToClient, "250 2.1.5 Ok\r\n"},
		{mirror.ClientToOrigin, "DATA\r\n"},
		{mirror.OriginToClient, "354 End data with <CR><LF>.<CR><LF>\r\n"},
		{mirror.ClientToOrigin, "From: alice@example.test\r\nTo: bob@example.test\r\nSubject: Minutes\r\nMessage-ID: <1@example.test>\r\n\r\nNothing to report.\r\n.\r\n"},
		{mirror.OriginToClient, "250 2.0.0 Ok: queued\r\n"},
		{mirror.ClientToOrigin, "QUIT\r\n"},
		{mirror.OriginToClient, "221 2.0.0 Bye\r\n"},
	}
)

// play shows both sessions on a sink.
func play(sink mirror.Sink, named func(netip.Addr, string)) {
	for _, s := range []struct {
		port    uint16
		origin  string
		name    string
		turns   []said
		comment string
	}{
		{50001, "192.0.2.1:443", "www.example.test", web, "clearspan session=8a6dd61f0d5a4b07 content=decrypted intake=gateway rule=default " +
			"community_id=1:4yAU5XTumE6K8kee2gR9gM+rcuM= sni=www.example.test alpn=http/1.1 tls_client=1.3 tls_origin=1.3 verdict=ok"},
		{50002, "192.0.2.25:465", "mail.example.test", mail, "clearspan session=55d4e8a1be7a1c93 content=decrypted intake=gateway rule=default " +
			"community_id=1:w+qO9+PyvySi+I9MDbBjVn3efKQ= sni=mail.example.test tls_client=1.3 tls_origin=1.3 verdict=ok"},
	} {
		origin := netip.MustParseAddrPort(s.origin)
		named(origin.Addr(), s.name)
		c := mirror.Open(sink, mirror.Flow{Client: netip.AddrPortFrom(client, s.port), Origin: origin}, mirror.Options{Note: s.comment})
		for _, turn := range s.turns {
			c.Data(turn.dir, []byte(turn.text))
		}
		c.End(mirror.ClientToOrigin)
		c.End(mirror.OriginToClient)
		c.Close()
	}
}

// capture writes the sessions to mirror.pcapng in a directory, by the sink of
// capture files.
func capture(t *testing.T, dir string) {
	t.Helper()
	sink, err := pcapng.Open(pcapng.Config{Directory: dir, Interface: "files"})
	if err != nil {
		t.Fatal(err)
	}
	play(sink, sink.Name)
	if err := sink.Close(); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "clearspan-*.pcapng"))
	if err != nil || len(files) != 1 {
		t.Fatalf("capture files %v, %v", files, err)
	}
	if err := os.Rename(files[0], filepath.Join(dir, "mirror.pcapng")); err != nil {
		t.Fatal(err)
	}
}

// programs are those without which a recorder's blocks cannot be run.
var programs = map[string][]string{
	"capture":  {"tshark", "capinfos"},
	"live":     {"nc", "tcpdump", "tshark"},
	"tshark":   {"tshark"},
	"tcpflow":  {"tcpflow"},
	"suricata": {"suricata"}, // of Debian 12 in its backports only
}

// TestRecorders runs the marked blocks of recorders.md, those of one recorder in one
// directory with the capture mirror.pcapng. A command that reads the port mirror0
// reads that file instead; one that connects to the feed at 127.0.0.1 57012 gets
// the sessions when it is there.
func TestRecorders(t *testing.T) {
	if testing.Short() {
		t.Skip("runs recorders")
	}
	blocks := make(map[string][]Block)
	for _, b := range Parse("recorders.md", read(t, "recorders.md")).Blocks {
		if b.Test != "" {
			blocks[b.Test] = append(blocks[b.Test], b)
		}
	}
	for name := range blocks {
		if programs[name] == nil {
			t.Errorf("blocks for %s: not known here", name)
		}
	}
	for name, wanted := range programs {
		t.Run(name, func(t *testing.T) {
			if len(blocks[name]) == 0 {
				t.Fatal("recorders.md has no block for it")
			}
			for _, program := range wanted {
				if _, err := exec.LookPath(program); err != nil {
					needs.Missing(t, err)
				}
			}
			dir := t.TempDir()
			capture(t, dir)
			for _, b := range blocks[name] {
				if b.File != "" {
					if err := os.WriteFile(filepath.Join(dir, b.File), []byte(b.Text), 0o600); err != nil {
						t.Fatal(err)
					}
					continue
				}
				for _, c := range Commands(b.Text) {
					out, err := perform(t, dir, c.Line)
					if err != nil {
						t.Errorf("recorders.md:%d: %s: %v\n%s", b.Line, c.Line, err, out)
					} else if len(c.Output) > 0 && !Prints(c.Output, out) {
						t.Errorf("recorders.md:%d: %s printed\n%s\nwant\n%s", b.Line, c.Line, out, strings.Join(c.Output, "\n"))
					}
				}
			}
		})
	}
}

var feedAddress = regexp.MustCompile(`127\.0\.0\.1([ :])57012`)

// perform runs a command and returns what it prints to its standard output.
func perform(t *testing.T, dir, line string) (string, error) {
	t.Helper()
	line = strings.ReplaceAll(line, "-i mirror0", "-r mirror.pcapng")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var feed *pcapip.Sink
	if feedAddress.MatchString(line) {
		var err error
		if feed, err = pcapip.Listen(pcapip.Config{Addr: "127.0.0.1:0"}); err != nil {
			t.Fatal(err)
		}
		defer feed.Close()
		port := netip.MustParseAddrPort(feed.Addr().String()).Port()
		line = feedAddress.ReplaceAllString(line, fmt.Sprintf("127.0.0.1${1}%d", port))
	}
	cmd := exec.CommandContext(ctx, "sh", "-c", line)
	cmd.WaitDelay = time.Second
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8", "TZ=UTC", "HOME="+dir)
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Start(); err != nil {
		return "", err
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	if feed != nil {
		err := await(feed, done)
		if err != nil {
			return out.String(), fmt.Errorf("%w: %s", err, errs.String())
		}
		play(feed, func(netip.Addr, string) {})
		feed.Close() // the reader comes to the end
	}
	if err := <-done; err != nil {
		return out.String(), fmt.Errorf("%w: %s", err, errs.String())
	}
	return out.String(), nil
}

// await waits until somebody reads the feed. It returns an error if the command
// ends before.
func await(feed *pcapip.Sink, done <-chan error) error {
	for feed.Idle() {
		select {
		case err := <-done:
			return fmt.Errorf("ended without reading the feed: %v", err)
		case <-time.After(10 * time.Millisecond):
		}
	}
	return nil
}
