package demo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/clearspan/clearspan/hack/lab"
	"github.com/clearspan/clearspan/hack/netlab"
)

const (
	webName  = "www.example.test"
	mailName = "mail.example.test"
	domain   = "example.test"
	mailUser = "bob"

	captureName = "recorder.pcap"
	largeSize   = 10 << 20 // octets of the big download
)

// stage is the network with everything that runs in it.
type stage struct {
	gateway   *lab.Gateway
	web       *lab.Web
	boxes     *lab.Mailboxes
	appliance *lab.Appliance
	capture   *lab.Capture
	ca        string // PEM file of the appliance's authority
	box       string // directory of the appliance
	wire      string // name of the wire, empty for a gateway
	kept      string // directory that outlives the stage
}

// setStage starts origins, recorder and appliance. On an error the stage is
// returned if it has something worth keeping.
func setStage(ctx context.Context, network *netlab.Lab, o Options) (*stage, error) {
	wire, build, intake := "", lab.NewGateway, gatewayIntake
	if o.Wire {
		wire = fmt.Sprintf("demo-%d", os.Getpid())
		build, intake = lab.NewInline, wireIntake(wire)
	}
	g, err := build(network)
	if err != nil {
		return nil, fmt.Errorf("make network: %w", err)
	}
	dirs := make(map[string]string)
	for _, name := range []string{"pki", "nginx", "mail", "postfix", "icap", "box"} {
		if dirs[name], err = network.Dir(name); err != nil {
			return nil, err
		}
	}
	pki, err := lab.NewPKI(dirs["pki"])
	if err != nil {
		return nil, err
	}
	certificate, err := pki.Issue(webName, mailName, filesName)
	if err != nil {
		return nil, err
	}
	s := &stage{gateway: g, wire: wire, box: dirs["box"], kept: o.Keep}
	if s.web, err = lab.StartNginx(g.Origin, dirs["nginx"], lab.Sites(certificate)); err != nil {
		return nil, err
	}
	if err := writePages(s.web.Root); err != nil {
		return nil, err
	}
	if s.boxes, err = lab.NewMailboxes(dirs["mail"], domain, map[string]string{mailUser: "secret"}); err != nil {
		return nil, err
	}
	if _, err := lab.StartPostfix(g.Origin, dirs["postfix"], certificate, s.boxes); err != nil {
		return nil, err
	}
	if err := startServices(ctx, g, dirs["icap"]); err != nil {
		return nil, err
	}
	if s.capture, err = lab.StartCapture(g.Recorder, lab.RecorderInterface, filepath.Join(o.Keep, captureName)); err != nil {
		return nil, err
	}
	binary, err := filepath.Abs(o.Binary)
	if err != nil {
		return nil, err
	}
	config := strings.NewReplacer("@INTAKE@", intake, "@ROOT@", pki.RootFile, "@BOX@", s.box).Replace(applianceConfig + servicesConfig())
	if s.appliance, err = lab.StartAppliance(g.Box, s.box, binary, config); err != nil {
		return s, err
	}
	if o.Wire {
		time.Sleep(time.Second) // until it takes connections
	}
	s.ca = filepath.Join(s.box, "state", "authority", "ca.crt")
	return s, nil
}

// applianceConfig has its files in the appliance's directory.
const applianceConfig = `state: state
intake:
  - @INTAKE@
origin:
  roots: ["@ROOT@"]
mirror:
  - {name: ` + sinkName + `, kind: interface, interface: ` + lab.MirrorInterface + `}
  - {name: files, kind: pcapng, directory: "@BOX@/pcap"}
audit: {file: sessions.jsonl}
admin: {listen: 127.0.0.1:8090}
`

// gatewayIntake takes connections that are routed through the box.
const gatewayIntake = `{name: gateway, mode: tproxy, listen: ":8099", from: [` + lab.LANInterface + `], ports: [443, 465, 587]}`

// wireIntake makes the box a cable. On a busy machine it waits for clearspan: the
// default would let connections pass that the demonstration compares.
func wireIntake(name string) string {
	return fmt.Sprintf(`{name: %s, mode: wire, legs: [%s, %s], ports: [443, 465, 587], stall: 5s}`, name, lab.LANInterface, lab.WANInterface)
}

// removeWire takes the wire apart, which outlives its process so that traffic
// goes on.
func (s *stage) removeWire(binary string) error {
	if s.wire == "" || s.appliance == nil {
		return nil
	}
	select {
	case <-s.appliance.Done():
	default:
		if err := s.appliance.Stop(); err != nil {
			return err
		}
	}
	if out, err := s.gateway.Box.Command(context.Background(), binary, "wire", "remove", s.wire).CombinedOutput(); err != nil {
		return fmt.Errorf("remove wire: %w: %s", err, out)
	}
	return nil
}

// sinkName is the mirror port's name in the configuration and the audit.
const sinkName = "recorder"

// writePages writes what the origin serves. The large file is the same each
// time and cannot be compressed.
func writePages(root string) error {
	large := make([]byte, largeSize)
	_, _ = rand.NewChaCha8([32]byte{}).Read(large)
	return errors.Join(
		os.WriteFile(filepath.Join(root, "hello.html"), []byte("<p>Hello from the origin, by HTTP/1.1.</p>\n"), 0o644),
		os.WriteFile(filepath.Join(root, "news.html"), []byte("<p>News from the origin, by HTTP/2 and IPv6.</p>\n"), 0o644),
		os.WriteFile(filepath.Join(root, "large.bin"), large, 0o644),
		os.WriteFile(filepath.Join(root, "report.txt"), []byte("Nothing is wrong with this.\n"), 0o644),
		os.WriteFile(filepath.Join(root, "invoice.com"), []byte(lab.EICAR()), 0o644),
		os.WriteFile(filepath.Join(root, threat), []byte("Never to be seen.\n"), 0o644))
}

// end stops the appliance, so that all it has to tell is told, and then the
// recorder.
func (s *stage) end() error {
	if err := s.appliance.Stop(); err != nil {
		return err
	}
	if _, err := s.capture.Stop(); err != nil {
		return err
	}
	return nil
}

// auditFile returns the path of the appliance's audit log.
func (s *stage) auditFile() string { return filepath.Join(s.box, "state", "sessions.jsonl") }

// clearKept removes what an earlier run has kept.
func clearKept(dir string) error {
	old, err := filepath.Glob(filepath.Join(dir, "files-*.pcapng"))
	if err != nil {
		return err
	}
	for _, name := range []string{captureName, "clearspan.yaml", "clearspan.log", "sessions.jsonl"} {
		old = append(old, filepath.Join(dir, name))
	}
	for _, path := range old {
		if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
			return err
		}
	}
	return nil
}

// keep copies the appliance's files beside the capture.
func (s *stage) keep() error {
	files := map[string]string{
		filepath.Join(s.box, "clearspan.yaml"): "clearspan.yaml",
		filepath.Join(s.box, "log"):            "clearspan.log",
		s.auditFile():                          "sessions.jsonl",
	}
	written, err := filepath.Glob(filepath.Join(s.box, "pcap", "*.pcapng*"))
	if err != nil {
		return err
	}
	for i, path := range written {
		files[path] = fmt.Sprintf("files-%d.pcapng", i+1)
	}
	var errs []error
	for from, to := range files {
		text, err := os.ReadFile(from)
		if errors.Is(err, os.ErrNotExist) {
			continue // it ended before it wrote this
		}
		errs = append(errs, err, os.WriteFile(filepath.Join(s.kept, to), text, 0o644))
	}
	return errors.Join(errs...)
}
