package dissector

import (
	"bytes"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"github.com/clearspan/clearspan/hack/needs"
)

// TestTable: tshark 4.0 gives each port to the dissector that is in the table.
func TestTable(t *testing.T) {
	version, err := exec.Command("tshark", "--version").Output()
	if err != nil || !bytes.Contains(version, []byte(" 4.0.")) {
		needs.Missing(t, fmt.Sprintf("needs tshark 4.0, has %.40q, %v", version, err))
	}
	decodes, err := exec.Command("tshark", "-G", "decodes").Output()
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for line := range strings.Lines(string(decodes)) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		if len(f) != 3 || f[0] != "tcp.port" || f[1] == "0" {
			continue
		}
		n++
		port, err := strconv.ParseUint(f[1], 10, 16)
		if err != nil {
			t.Fatal(err)
		}
		if got := Of(uint16(port)); got != f[2] {
			t.Errorf("port %d: %q, tshark has %q", port, got, f[2])
		}
	}
	if n != len(ports()) {
		t.Errorf("%d ports, tshark has %d", len(ports()), n)
	}
}

// TestReaders: each protocol is read on its own port.
func TestReaders(t *testing.T) {
	for name, r := range readers {
		d := Of(r.Port)
		switch {
		case len(r.Dissectors) == 0:
			if d != "" {
				t.Errorf("%s: port %d is given to %s", name, r.Port, d)
			}
		case !r.Reads(r.Port), d != r.Dissectors[0]:
			t.Errorf("%s is not read on port %d, which is given to %q", name, r.Port, d)
		}
	}
	for _, tt := range []struct {
		protocol string
		port     uint16
		want     bool
	}{
		{"h2", 8443, false}, {"h2", 443, false}, {"h2", 3128, true}, {"http/1.1", 443, true}, {"http/1.1", 3306, false},
		{"smtp", 587, true}, {"imap", 993, false}, {"mqtt", 8883, false}, {"sip", 5061, true}, {"tls", 80, false},
	} {
		r, ok := ReaderOf(tt.protocol)
		if !ok || r.Reads(tt.port) != tt.want {
			t.Errorf("%s on %d: read %v", tt.protocol, tt.port, !tt.want)
		}
	}
}
