package demo

import (
	"bytes"
	"context"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
)

const (
	privacyUser = "privacy"
	mailSender  = "alice"
	officeV4    = "192.0.3.1" // of the recorder, in the network of the privacy office's mail server
	mailV4      = "192.0.3.2"
)

// evidence is the network of the demonstration.
type evidence struct {
	gateway   *lab.Gateway
	web       *lab.Web
	ftp       *lab.FTP
	samba     *lab.Samba
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

func setEvidence(ctx context.Context, network *netlab.Lab, o Options) (*evidence, error) {
	g, err := lab.NewGateway(network)
	if err != nil {
		return nil, fmt.Errorf("make network: %w", err)
	}
	dirs := make(map[string]string)
	for _, name := range []string{"pki", "nginx", "mail", "postfix", "dovecot", "ftp", "samba", "box"} {
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
	if err := g.AddSwitch(ctx); err != nil {
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
	sites := lab.Sites(certificate)
	for i := range sites {
		sites[i].Forms = true
	}
	if s.web, err = lab.StartNginx(g.Origin, dirs["nginx"], sites); err != nil {
		return nil, err
	}
	if err := writePages(s.web.Root); err != nil {
		return nil, err
	}
	if s.boxes, err = lab.NewMailboxes(dirs["mail"], domain, map[string]string{mailSender: "secret", mailUser: "secret", privacyUser: "secret"}); err != nil {
		return nil, err
	}
	if _, err := lab.StartPostfix(g.Origin, dirs["postfix"], certificate, s.boxes); err != nil {
		return nil, err
	}
	if _, err := lab.StartDovecot(g.Origin, dirs["dovecot"], certificate, s.boxes); err != nil {
		return nil, err
	}
	if s.samba, err = lab.StartSamba(g.Origin, dirs["samba"]); err != nil {
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
	s.recorder = s.gateway.Recorder.Command(context.Background(), s.binary, "recorder", "run", "--directory", s.kept, "--interface", lab.RecorderInterface, "--interface", lab.SpanInterface,
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
