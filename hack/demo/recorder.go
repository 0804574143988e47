package demo

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/text/encoding/japanese"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
)

// RunRecorder demonstrates the recorder: real clients send and receive files through the
// appliance, one of them a list of people with My Numbers. The recorder behind the mirror port
// has all files, the privacy office has an alert in its mailbox, and a bit that is flipped
// afterwards is found. Options are as for [Run].
func RunRecorder(ctx context.Context, o Options) (err error) {
	if o.Out == nil {
		o.Out = io.Discard
	}
	if o.Keep == "" {
		o.Keep = "demo-out"
	}
	if o.Keep, err = filepath.Abs(o.Keep); err != nil {
		return err
	}
	if o.Binary, err = filepath.Abs(o.Binary); err != nil {
		return err
	}
	if _, err := os.Stat(o.Binary); err != nil {
		return fmt.Errorf("find appliance: %w", err)
	}
	if err := lab.MissingPrograms("demo"); err != nil {
		return err
	}
	network, err := netlab.New(prefix)
	if err != nil {
		return fmt.Errorf("make network: %w", err)
	}
	defer func() { err = errors.Join(err, network.Close()) }()
	ctx, cancel := context.WithTimeout(ctx, timeLimit)
	defer cancel()
	out := &story{w: o.Out}
	out.start()
	out.say("client -- clearspan -- origin; a recorder on the mirror port: clearspan recorder run\n\n")
	s, err := setEvidence(network, o)
	if err != nil {
		return err
	}
	if err := s.play(ctx, out); err != nil {
		return err
	}
	if err := out.verdict(); err != nil {
		return err
	}
	out.say("\nWhat was recorded is in %s. %d comparisons, no difference, %.1f s.\n", s.kept, out.compared, time.Since(out.start()).Seconds())
	return nil
}

const (
	privacyUser = "privacy"
	officeV4    = "192.0.3.1" // of the recorder, in the network of the privacy office's mail server
	mailV4      = "192.0.3.2"
)

// evidence is the network of the demonstration.
type evidence struct {
	gateway   *lab.Gateway
	web       *lab.Web
	ftp       *lab.FTP
	boxes     *lab.Mailboxes
	appliance *lab.Appliance
	recorder  *netlab.Cmd
	binary    string
	ca        string
	root      string // PEM file of the authority of the origins
	box       string
	kept      string // directory of the recorder
	log       logText
	files     []sentFile
}

// logText is what the recorder writes meanwhile.
type logText struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

// sentFile is one that a client sent or received.
type sentFile struct {
	name string
	sum  string // SHA-256
	way  string // sent, received
	by   string // what the story says
}

func setEvidence(network *netlab.Lab, o Options) (*evidence, error) {
	g, err := lab.NewGateway(network)
	if err != nil {
		return nil, fmt.Errorf("make network: %w", err)
	}
	dirs := make(map[string]string)
	for _, name := range []string{"pki", "nginx", "mail", "postfix", "ftp", "box"} {
		if dirs[name], err = network.Dir(name); err != nil {
			return nil, err
		}
	}
	s := &evidence{gateway: g, box: dirs["box"], binary: o.Binary, kept: filepath.Join(o.Keep, "recorder")}
	office := [2]netlab.End{
		{Namespace: g.Recorder, Name: "office0", Addresses: []netip.Prefix{netip.MustParsePrefix(officeV4 + "/24")}},
		{Namespace: g.Origin, Name: "office0", Addresses: []netip.Prefix{netip.MustParsePrefix(mailV4 + "/24")}},
	}
	if err := network.Link(office[0], office[1], netlab.LinkOptions{}); err != nil {
		return nil, err
	}
	pki, err := lab.NewPKI(dirs["pki"])
	if err != nil {
		return nil, err
	}
	s.root = pki.RootFile
	certificate, err := pki.Issue(webName, mailName, filesName)
	if err != nil {
		return nil, err
	}
	if s.web, err = lab.StartNginx(g.Origin, dirs["nginx"], lab.Sites(certificate)); err != nil {
		return nil, err
	}
	if err := writePages(s.web.Root); err != nil {
		return nil, err
	}
	if s.boxes, err = lab.NewMailboxes(dirs["mail"], domain, map[string]string{mailUser: "secret", privacyUser: "secret"}); err != nil {
		return nil, err
	}
	if _, err := lab.StartPostfix(g.Origin, dirs["postfix"], certificate, s.boxes); err != nil {
		return nil, err
	}
	if s.ftp, err = lab.StartVsftpd(g.Origin, dirs["ftp"], certificate, lab.FTPPort, false); err != nil {
		return nil, err
	}
	config := strings.NewReplacer("@ROOT@", pki.RootFile, "@BOX@", s.box).Replace(evidenceConfig)
	if s.appliance, err = lab.StartAppliance(g.Box, s.box, o.Binary, config); err != nil {
		return nil, err
	}
	s.ca = filepath.Join(s.box, "state", "authority", "ca.crt")
	if err := os.RemoveAll(s.kept); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(s.kept), 0o755); err != nil {
		return nil, err
	}
	return s, s.startRecorder()
}

const evidenceConfig = `state: state
intake:
  - {name: gateway, mode: tproxy, listen: ":8099", from: [` + lab.LANInterface + `]}
origin:
  roots: ["@ROOT@"]
mirror:
  - {name: ` + sinkName + `, kind: interface, interface: ` + lab.MirrorInterface + `, full: block}
audit: {file: sessions.jsonl}
admin: {listen: 127.0.0.1:8090}
`

// startRecorder starts the recorder, and waits until it records.
func (s *evidence) startRecorder() error {
	s.recorder = s.gateway.Recorder.Command(context.Background(), s.binary, "recorder", "run", "--directory", s.kept, "--interface", lab.RecorderInterface,
		"--alert", fmt.Sprintf("smtp://%s:25/?to=%s@%s&from=recorder@%s&name=%s&ca=%s", mailV4, privacyUser, domain, domain, mailName, s.root))
	s.recorder.Stdout, s.recorder.Stderr = &s.log, &s.log
	if err := s.recorder.Start(); err != nil {
		return err
	}
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		if _, err := os.Stat(filepath.Join(s.kept, "status.json")); err == nil {
			return nil
		}
		select {
		case <-s.recorder.Done():
			return fmt.Errorf("the recorder ended: %v\n%s", s.recorder.Wait(), s.log.String())
		default:
		}
		if time.Now().After(end) {
			return fmt.Errorf("the recorder does not record\n%s", s.log.String())
		}
	}
}

// play sends the traffic, and looks at what was recorded.
func (s *evidence) play(ctx context.Context, out *story) error {
	out.say("Sent and received through clearspan; the clients trust its CA only:\n")
	for _, f := range []func(context.Context, *story) error{s.download, s.upload, s.sendMail, s.putFile} {
		if err := f(ctx, out); err != nil {
			return err
		}
	}
	if err := s.awaitFiles(ctx); err != nil {
		return err
	}
	out.say("\nclearspan recorder search sent:true\n")
	text, err := s.command(ctx, "search", "--directory", s.kept, "sent:true")
	if err != nil {
		return err
	}
	out.say("%s", indented(text))
	out.say("\nCompared:\n")
	if err := s.compare(ctx, out); err != nil {
		return err
	}
	letter, err := s.boxes.WaitMessage(ctx, privacyUser, "Auto-Submitted")
	if err != nil {
		return fmt.Errorf("%w\n%s", err, s.log.String())
	}
	out.check(strings.Contains(letter, "To: <"+privacyUser+"@"+domain+">"), "the privacy office has an alert in its mailbox", letter)
	return s.prove(ctx, out)
}

// command runs a command of the recorder.
func (s *evidence) command(ctx context.Context, args ...string) (string, error) {
	r, err := lab.Run(ctx, s.gateway.Recorder, "", s.binary, append([]string{"recorder"}, args...)...)
	if err != nil {
		return r.Stdout, fmt.Errorf("recorder %s: %w", args[0], err)
	}
	return r.Stdout, nil
}

func indented(text string) string {
	return "  " + strings.TrimSuffix(strings.ReplaceAll(text, "\n", "\n  "), "  ")
}

// add notes a file.
func (s *evidence) add(out *story, name string, content []byte, way, by string) {
	sum := sha256.Sum256(content)
	s.files = append(s.files, sentFile{name, hex.EncodeToString(sum[:]), way, by})
	out.say("  %-60s %d octets\n", by, len(content))
}

func (s *evidence) download(ctx context.Context, out *story) error {
	for version, page := range map[string]string{"--http1.1": "large.bin", "--http2": "news.html"} {
		content, err := os.ReadFile(filepath.Join(s.web.Root, page))
		if err != nil {
			return err
		}
		args := slices.Concat(lab.Resolve(webName, lab.OriginV4), []string{version, "--output", filepath.Join(s.box, "got"), "https://" + webName + "/" + page})
		if _, err := lab.Curl(ctx, s.gateway.Client, s.ca, args...); err != nil {
			return err
		}
		s.add(out, page, content, "received", "curl "+version+" "+page)
	}
	return nil
}

// upload has curl send a list of people.
func (s *evidence) upload(ctx context.Context, out *story) error {
	const name = "顧客名簿.csv"
	rows := "氏名,住所,電話,個人番号\n"
	for i := range 40 {
		number := ""
		if i == 7 {
			number = "123456789018" // invented; its check digit is right
		}
		rows += fmt.Sprintf("山田 太郎%d,東京都千代田区丸の内1-%d,090-1234-%04d,%s\n", i, i, i, number)
	}
	list, err := japanese.ShiftJIS.NewEncoder().Bytes([]byte(rows))
	if err != nil {
		return err
	}
	file := filepath.Join(s.box, name)
	if err := os.WriteFile(file, list, 0o644); err != nil {
		return err
	}
	args := slices.Concat(lab.Resolve(webName, lab.OriginV4), []string{"--http1.1", "--fail", "--upload-file", file, "https://" + webName + "/upload/" + url.PathEscape(name)})
	if _, err := lab.Curl(ctx, s.gateway.Client, s.ca, args...); err != nil {
		return err
	}
	s.add(out, name, list, "sent", "curl --upload-file "+name)
	return nil
}

// sendMail has swaks send a file, its name in ISO-2022-JP.
func (s *evidence) sendMail(ctx context.Context, out *story) error {
	const name = "見積書.bin"
	content := bytes.Repeat([]byte("\x00\x01estimate\xff"), 3000)
	encoded, err := japanese.ISO2022JP.NewEncoder().String(name)
	if err != nil {
		return err
	}
	data := fmt.Sprintf("From: alice@%[1]s\nTo: bob@%[1]s\nSubject: estimate\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=b\n\n--b\n\nSee below.\n--b\n"+
		"Content-Type: application/octet-stream; name=\"=?ISO-2022-JP?B?%[2]s?=\"\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment\n\n%[3]s\n--b--\n",
		domain, base64Of([]byte(encoded)), base64Lines(content))
	for _, port := range []int{lab.SMTPSPort, lab.SubmissionPort} {
		m := lab.Mail{Server: lab.OriginV4, Port: port, From: "alice@" + domain, To: mailUser + "@" + domain, Name: mailName, CA: s.ca, Data: data}
		if _, err := lab.Swaks(ctx, s.gateway.Client, m); err != nil {
			return err
		}
	}
	s.add(out, name, content, "sent", "swaks, by TLS and by STARTTLS, with "+name)
	return nil
}

// putFile has curl put a file by FTP, over TLS.
func (s *evidence) putFile(ctx context.Context, out *story) error {
	content := bytes.Repeat([]byte("drawing\x00\x7f"), 20_000)
	file := filepath.Join(s.box, "plan.dwg")
	if err := os.WriteFile(file, content, 0o644); err != nil {
		return err
	}
	args := slices.Concat(lab.Resolve(filesName, lab.OriginV4), []string{"--ssl-reqd", "--upload-file", file, "ftp://" + filesName + "/upload/"})
	if _, err := lab.Curl(ctx, s.gateway.Client, s.ca, args...); err != nil {
		return err
	}
	s.add(out, "plan.dwg", content, "sent", "curl --ssl-reqd --upload-file plan.dwg ftp://")
	return nil
}

// object is a line of the recorder about a file.
type object struct {
	Object    string `json:"object"`
	Name      string `json:"name"`
	Direction string `json:"direction"`
	Holes     int    `json:"holes"`
	Finding   string `json:"finding"`
	Count     int    `json:"count"`
}

// recorded asks the recorder for everything.
func (s *evidence) recorded(ctx context.Context) (list []object, err error) {
	text, err := s.command(ctx, "search", "--directory", s.kept, "--json", "--limit", "1000")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(text) {
		var o object
		if err := json.Unmarshal([]byte(line), &o); err != nil {
			return nil, err
		}
		list = append(list, o)
	}
	return list, nil
}

// has reports whether a file was recorded as it was.
func (f *sentFile) in(list []object) bool {
	return slices.ContainsFunc(list, func(o object) bool {
		return o.Object == f.sum && o.Name == f.name && o.Direction == f.way && o.Holes == 0
	})
}

// awaitFiles waits until the analysis has come to the last file.
func (s *evidence) awaitFiles(ctx context.Context) error {
	for {
		list, err := s.recorded(ctx)
		if err == nil && !slices.ContainsFunc(s.files, func(f sentFile) bool { return !f.in(list) }) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for the files: %w\n%v\n%s", errors.Join(ctx.Err(), err), list, s.log.String())
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (s *evidence) compare(ctx context.Context, out *story) error {
	list, err := s.recorded(ctx)
	if err != nil {
		return err
	}
	for _, f := range s.files {
		out.check(f.in(list), fmt.Sprintf("%s, %s: name and SHA-256 %.8s", f.name, f.way, f.sum), fmt.Sprint(list))
	}
	found := slices.ContainsFunc(list, func(o object) bool { return o.Finding == "my-number" })
	people := slices.ContainsFunc(list, func(o object) bool { return o.Finding == "person" && o.Count == 40 })
	out.check(found && people, "a My Number and 40 people are found in the list", fmt.Sprint(list))
	return nil
}

// prove ends the recorder, verifies what it has left, and flips a bit.
func (s *evidence) prove(ctx context.Context, out *story) error {
	if err := errors.Join(s.appliance.Stop(), s.recorder.Stop(20*time.Second)); err != nil {
		return fmt.Errorf("%w\n%s", err, s.log.String())
	}
	key := filepath.Join(s.kept, "seal", "public.pem")
	text, err := s.command(ctx, "verify", s.kept, "--key", key)
	out.check(err == nil && strings.Contains(text, "OK "), "clearspan recorder verify: nothing was changed", text)
	volumes, err := filepath.Glob(filepath.Join(s.kept, "packets", "*.pcapng"))
	if err != nil || len(volumes) == 0 {
		return fmt.Errorf("no volume of packets: %v", err)
	}
	packets, err := os.ReadFile(volumes[0])
	if err != nil {
		return err
	}
	packets[len(packets)/2] ^= 1
	if err := os.WriteFile(volumes[0], packets, 0o600); err != nil {
		return err
	}
	text, err = s.command(ctx, "verify", s.kept, "--key", key)
	out.check(err != nil && strings.Contains(text, "was changed"), "one bit flipped in "+filepath.Base(volumes[0])+": verify names it", text)
	out.say("\nclearspan recorder verify, behind the flipped bit\n%s", indented(text))
	packets[len(packets)/2] ^= 1
	return os.WriteFile(volumes[0], packets, 0o600)
}

func base64Of(p []byte) string { return base64.StdEncoding.EncodeToString(p) }

// base64Lines returns base64 in lines.
func base64Lines(p []byte) string {
	var b strings.Builder
	for s := base64Of(p); s != ""; {
		n := min(76, len(s))
		b.WriteString(s[:n] + "\n")
		s = s[n:]
	}
	return strings.TrimSuffix(b.String(), "\n")
}
