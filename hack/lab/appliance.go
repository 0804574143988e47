package lab

import (
	"path/filepath"
	"strings"
	"time"

	"github.com/clearspan/clearspan/hack/netlab"
)

// drainLimit is how long the appliance may take to end: its default of 30 s for
// draining sessions and some more.
const drainLimit = 40 * time.Second

// Appliance is a running clearspan.
type Appliance struct {
	*Server
	ConfigFile string
}

// StartAppliance runs the binary in a namespace with the YAML configuration,
// written to dir/clearspan.yaml, and waits until it says that it is ready.
// Relative paths in the configuration start at dir. flags are others of clearspan run.
func StartAppliance(ns *netlab.Namespace, dir, binary, yaml string, flags ...string) (*Appliance, error) {
	if err := writeFiles(dir, map[string]string{"clearspan.yaml": yaml}); err != nil {
		return nil, err
	}
	file := filepath.Join(dir, "clearspan.yaml")
	server, err := startServer(ns, dir, saysReady, binary, append([]string{"run", "-c", file}, flags...)...)
	if err != nil {
		return nil, err
	}
	return &Appliance{server, file}, nil
}

// saysReady looks for the log line with the message ready, JSON or text.
func saysReady(s *Server) bool {
	for line := range strings.Lines(s.Log()) {
		if strings.Contains(line, `"msg":"ready"`) || strings.Contains(line+" ", "msg=ready ") ||
			strings.Contains(line, "msg=ready\n") {
			return true
		}
	}
	return false
}

// Stop asks the appliance to drain and end, and waits up to 40 s. Any end but
// one with status 0 is an error that holds the log.
func (a *Appliance) Stop() error { return a.stop(drainLimit, false) }
